//! What ann, bob and cid say.

/// Bytes of the one long message.
const LONG_BYTES: usize = 5000;

/// Returns ann's messages; the one of 5,000 bytes is among them.
pub(super) fn of_ann() -> Vec<String> {
    let mut texts: Vec<_> = ANN.map(str::to_owned).into();
    texts.insert(4, long());
    texts
}

/// Returns bob's messages; the one in Japanese is among them.
pub(super) fn of_bob() -> Vec<String> {
    BOB.map(str::to_owned).into()
}

/// Returns what ann and bob say while cid calls: six messages each, ann's first.
pub(super) fn of_ann_and_bob() -> (Vec<String>, Vec<String>) {
    let six = |texts: &[&str]| texts[6..12].iter().map(|&text| text.to_owned()).collect();
    (six(&ANN), six(&BOB))
}

/// Returns what cid and bob say: six messages each, cid's first.
pub(super) fn of_cid_and_bob() -> (Vec<String>, Vec<String>) {
    (CID.map(str::to_owned).into(), BOB_TO_CID.map(str::to_owned).into())
}

/// A story that goes on until it has exactly the length that was promised.
fn long() -> String {
    let mut text = String::from("You asked for the whole story of the harbour, so here it is.\n");
    for day in 1.. {
        let line = format!(
            "Day {day}: we rowed out before sunrise, counted {} boats, and wrote down where each one lay.\n",
            day * 7 % 31 + 3
        );
        if text.len() + line.len() > LONG_BYTES {
            break;
        }
        text.push_str(&line);
    }
    text.extend(std::iter::repeat_n('.', LONG_BYTES - text.len()));
    text
}

const ANN: [&str; 19] = [
    "Good morning, bob! Did you get home all right?",
    "The train was late again. Forty minutes, and not one announcement.",
    "Anyway: I found your umbrella, it was behind the piano.",
    "Before I forget it, the story I promised comes next. It is long, get a coffee ☕",
    "Still there?",
    "I would have told it shorter, but you said “everything”.",
    "How is your sister? Is the baby walking yet?",
    "Wir sehen uns am Sonntag um 15 Uhr, ja? Grüße an alle!",
    "I can bring the big pot, a loaf of bread and two chairs.",
    "¿Y quién trae la guitarra? Yo no, la mía está rota.",
    "Ha! I knew it.",
    "  (two spaces in front, and a tab\tinside: on purpose)",
    "Roses are red,\nviolets are blue,\nthis has four lines\nand arrives as it flew.",
    "Let us meet at the old pier, not at the new one.",
    "Привет от Маши, она тоже придёт.",
    "If it rains we move to my kitchen; there is room for eight.",
    "I will switch my phone off now, the battery is at 3 %.",
    "One more thing: thank you for last week. It helped.",
    "Good night! 🌙",
];

const BOB: [&str; 20] = [
    "Morning! Home and dry, thanks. And you?",
    "おはよう、アン!昨日はとても楽しかったね。🎉 次は横浜の港で花火を見よう 🎆 お弁当は僕が作るよ 🍙🍱",
    "My umbrella! I looked for it everywhere.",
    "Could you send the story about the harbour? Everything, please.",
    "Reading. Do not wait for me.",
    "She is fine, and the baby runs. Nothing below one metre is safe.",
    "Sunday, three o'clock. I have written it on my hand.",
    "A pot is good. I bring soup for the pot.",
    "La guitare, c'est moi. Elle est un peu désaccordée, comme moi.",
    "Who else comes? I count six so far.",
    "Number of boats on day 9: really that many?",
    "👩‍👩‍👧‍👦 all four of them said yes",
    "Then we need more soup.",
    "The old pier it is. By the bench with the missing plank.",
    "Πες στη Μάσα ότι χαίρομαι πολύ.",
    "Rain is not allowed on Sunday, I have asked.",
    "Charge it! I want to send you the photographs.",
    "You would have done the same for me.",
    "تصبحين على خير يا آن",
    "Good night, and mind the step.",
];

const CID: [&str; 6] = [
    "bob? It is cid, from the boat. I hope I do not disturb you.",
    "I heard of Sunday. Is there a place left?",
    "J'apporte du pain et du fromage. Et mon accordéon, si tu veux. 🪗",
    "Shall I come by the old pier or by the new one?",
    "Три часа? Я буду в два, чтобы помочь.",
    "Then until Sunday! 👋",
];

const BOB_TO_CID: [&str; 6] = [
    "cid! No, not at all, I am only talking with ann.",
    "For you always. You are number seven.",
    "Un accordéon et une guitare désaccordée: ça promet.",
    "The old one, by the bench with the missing plank.",
    "Two is perfect. You know where the pot is.",
    "Until Sunday, and greet the boat.",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn twenty_each_way_all_different_one_of_5000_bytes() {
        let all: Vec<_> = of_ann().into_iter().chain(of_bob()).collect();
        assert_eq!((of_ann().len(), of_bob().len()), (20, 20));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 40);
        assert_eq!(all.iter().filter(|text| text.len() == LONG_BYTES).count(), 1);
    }

    #[test]
    fn six_in_each_direction_of_the_calls_all_different() {
        let ((ann, bob), (cid, bob_to_cid)) = (of_ann_and_bob(), of_cid_and_bob());
        let all = [ann, bob, cid, bob_to_cid];
        assert!(all.iter().all(|texts| texts.len() == 6));
        assert_eq!(all.concat().iter().collect::<BTreeSet<_>>().len(), 24);
    }
}
