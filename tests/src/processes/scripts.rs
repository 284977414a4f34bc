//! Texts of any length in many scripts.

/// What people write, and what breaks programs that count, trim, normalise or show it.
pub const SCRIPTS: [(&str, &str); 18] = [
    ("Latin", "Grüße aus Łódź: naïve façade, smørbrød – “ça va”? "),
    ("Cyrillic", "Съешь же ещё этих мягких французских булок, да выпей чаю. "),
    ("Greek", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία· καλημέρα. "),
    ("Arabic", "نصٌّ حكيمٌ له سرٌّ قاطعٌ وذو شأنٍ عظيم، أليس كذلك؟ "),
    ("Hebrew", "דג סקרן שט בים מאוכזב ולפתע מצא חברה. "),
    ("Devanagari", "नमस्ते दुनिया, आप कैसे हैं? क्षत्रिय ज्ञानी। "),
    ("Thai", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน "),
    ("Chinese", "天地玄黃,宇宙洪荒。日月盈昃,辰宿列張。"),
    ("Japanese", "いろはにほへと ちりぬるを。今夜は月がきれいですね、ヨコハマで。"),
    ("Hangul", "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. "),
    ("decomposed Hangul", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af} "),
    ("emoji with joiners", "👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇯🇵❤️‍🔥"),
    ("combining marks", "e\u{301}o\u{308}\u{323} Z\u{351}\u{36b}\u{343}a\u{32e}\u{35a} "),
    ("control characters", "\0\u{1}\t\u{7}\u{8}\u{b}\u{c}\u{1b}[31m\u{7f}\u{85}\u{9b}"),
    ("overrides of direction", "a\u{202e}b\u{202c}\u{2066}ج\u{2069}\u{200f}c\u{200e}\u{61c}"),
    ("newlines", "\n\r\n\r\u{2028}\u{2029}\n\n"),
    ("white space", "  \t \u{a0}\u{3000}\u{200b}\u{feff} "),
    ("JSON and beyond", "{\"is\":\"message\"}\\u0000\\\"'\u{fffd}\u{fffe}\u{10ffff}"),
];

/// Makes a text of exactly so many characters (at least 1) in a script, by number; numbers wrap around.
///
/// Texts differ where numbers do, so that a mix-up shows; very short ones may be equal.
pub fn text(number: usize, characters: usize) -> String {
    let (_, phrase) = SCRIPTS[number % SCRIPTS.len()];
    phrase.chars().cycle().skip(number / SCRIPTS.len()).take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_exactly_the_characters_asked_for() {
        for number in 0..2 * SCRIPTS.len() {
            for characters in [1, 2, 77, 2500] {
                assert_eq!(text(number, characters).chars().count(), characters);
            }
        }
    }
}
