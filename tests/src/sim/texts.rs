//! Things that people write.

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

/// Short texts in many scripts, with what breaks programs that count characters or trim.
pub const MANY_SCRIPTS: [&str; 16] = [
    "hi",
    "Grüße aus Köln, naïve façade",
    "今夜は月がきれいですね🌙",
    "مرحبا، كيف حالك؟",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "Привет, мир",
    "Γειά σου Κόσμε",
    "안녕하세요",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽",
    "e\u{301} is not é, \u{202e}right to left\u{202c}",
    "  leading and trailing  \n\n",
    "tab\tline\r\nnul\0end",
    "\u{10ffff}\u{fffd}\u{feff}",
    "{\"json\":\"\\u0000\"}",
];

/// Makes a text of exactly so many bytes in mixed scripts.
pub fn of_bytes(bytes: usize, rng: &mut ChaCha20Rng) -> String {
    const POOL: [char; 12] = ['a', ' ', '\n', 'é', 'ß', 'Ж', 'ع', 'न', '語', '€', '🌙', '👍'];
    let mut text = String::with_capacity(bytes);
    while text.len() < bytes {
        let drawn = POOL[rng.next_u32() as usize % POOL.len()];
        let fits = text.len() + drawn.len_utf8() <= bytes;
        text.push(if fits { drawn } else { 'x' });
    }
    text
}
