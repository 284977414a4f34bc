//! Passwords inside JSON.

use zeroize::Zeroizing;

/// Returns the bytes of a JSON string, which is given with its quotes and escapes; none if it is no string, or
/// has half of a surrogate pair.
///
/// What comes out is the only copy that this makes.
pub fn unescape(json: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    // An escape is never shorter than what it stands for, so that this never grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (character, after) = escaped(&rest[at + 1..])?;
        bytes.extend_from_slice(character.encode_utf8(&mut *Zeroizing::new([0; 4])).as_bytes());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

/// Reads what follows a backslash; returns its character and the rest.
fn escaped(text: &str) -> Option<(char, &str)> {
    let (kind, rest) = text.split_at_checked(1)?;
    let character = match kind {
        "\"" => '"',
        "\\" => '\\',
        "/" => '/',
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return unicode(rest),
        _ => return None,
    };
    Some((character, rest))
}

/// Reads four digits, and the other half of a pair if they are one.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, rest) = digits(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let (second, rest) = digits(rest.strip_prefix("\\u")?)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?, rest))
}

fn digits(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let hexadecimal = digits.bytes().all(|it| it.is_ascii_hexdigit());
    Some((u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_what_serde_says_it_is() {
        let everything: String = ('\0'..='\u{ffff}').chain(['🦀', '\u{10ffff}']).collect();
        let escaped: String = everything.encode_utf16().map(|it| format!("\\u{it:04X}")).collect();
        let plain = serde_json::to_string(&everything).unwrap();
        for json in [
            &plain[..],
            &format!("\"{escaped}\""),
            r#""""#,
            r#""pw""#,
            r#""a\"b\\c\/d\be\ff\ng\rh\ti\u00e9j\ud83e\udD80k""#,
            r#""\\u0041""#,
            r#""ü\\""#,
        ] {
            let expected: String = serde_json::from_str(json).unwrap();
            let found = unescape(json).unwrap();
            assert!(found.as_slice() == expected.as_bytes(), "{json:.60}");
            assert!(found.capacity() <= json.len(), "it grew: {json:.60}");
        }
    }

    #[test]
    fn what_is_no_string_is_none() {
        for json in [
            "",
            "\"",
            "pw",
            "7",
            "null",
            "[\"pw\"]",
            r#""\""#,
            r#""\x""#,
            r#""\é""#,
            r#""\u""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\u12é4""#,
            r#""\ud83e""#,
            r#""\ud83ex""#,
            r#""\ud83e\n""#,
            r#""\ud83e\u0041""#,
            r#""\udd80""#,
        ] {
            assert!(unescape(json).is_none(), "{json}");
        }
    }
}
