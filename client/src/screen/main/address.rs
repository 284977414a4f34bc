//! Links in what people write: found, shown as what they are, and opened only when that was read.

use std::ops::Range;

use iced::widget::{column, container, row, text};
use iced::{Element, Fill};

use super::Message;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// Longest address that is handed to a browser, in bytes.
pub const OPENED_MAX: usize = 2048;

/// Most characters of an address that are shown: more can be copied and read elsewhere.
const SHOWN_MAX: usize = 4096;

/// Longest text that is taken for a link, in bytes.
const LINK_MAX: usize = 10 * 1024;

/// Longest name of a host in bytes, and of a part of it in characters (RFC 1035, section 2.3.4).
const HOST_MAX: usize = 255;
const LABEL_MAX: usize = 63;

/// Links of one message that can be pressed.
const LINKS_MAX: usize = 100;

/// How links begin that are recognised, and what stands before them then.
const BEGINNINGS: [(&str, &str); 4] =
    [("https://", ""), ("http://", ""), ("iirs://", ""), ("www.", "https://")];

/// What may stand at the end of a link and is not part of it.
const NOT_LAST: [char; 14] =
    ['.', ',', ';', ':', '!', '?', '\'', '"', '*', '_', '~', '…', '»', '”'];

/// What is done with a link.
#[derive(Clone)]
pub enum Way {
    /// The link of this place in the message of this number was pressed.
    Pressed(u64, usize),
    /// It is to be opened.
    Open,
    /// It is to be copied.
    Copy,
    /// Neither.
    Drop,
}

/// Where a link leads, in ASCII: what is shown is what is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// All of it, with every other character escaped and the host in its registered form (RFC 3492).
    pub whole: String,
    /// The computer that it leads to.
    pub host: String,
}

/// Finds the links of a text, in bytes, the first first. What is taken for a link and is none is passed over whole, so that
/// the work grows with the text and no faster.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while found.len() < LINKS_MAX {
        let Some(start) = next(text, from) else { break };
        let end = start + length(&text[start..]);
        if address(&text[start..end]).is_some() {
            found.push(start..end);
        }
        from = end.max(start + 1);
    }
    found
}

/// Returns where the next link begins, which is not in the middle of a word.
fn next(text: &str, from: usize) -> Option<usize> {
    let begins = |at: usize| {
        let rest = &text.as_bytes()[at..];
        BEGINNINGS.iter().any(|(begin, _)| {
            rest.len() > begin.len() && rest[..begin.len()].eq_ignore_ascii_case(begin.as_bytes())
        })
    };
    let is_free = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|it| !it.is_alphanumeric() && it != '/' && it != '.' && it != '@')
    };
    let candidates = text.as_bytes().iter().enumerate().skip(from);
    let letters =
        candidates.filter(|(_, byte)| matches!(byte, b'h' | b'H' | b'i' | b'I' | b'w' | b'W'));
    letters.map(|(at, _)| at).find(|at| begins(*at) && is_free(*at))
}

/// Returns how long a link is: up to a space or what never stands in one, without punctuation at its end.
fn length(text: &str) -> usize {
    let ends = |it: char| {
        it.is_whitespace()
            || it.is_control()
            || matches!(
                it,
                '<' | '>' | '"' | '`' | '\\' | '^' | '{' | '}' | '|' | char::REPLACEMENT_CHARACTER
            )
    };
    let text = &text[..text.floor_char_boundary(LINK_MAX)];
    let mut link = &text[..text.find(ends).unwrap_or(text.len())];
    // how many more close than open
    let surplus = |open: char, close: char| {
        let count = |it: char| link.matches(it).count();
        count(close).saturating_sub(count(open))
    };
    let (mut round, mut square) = (surplus('(', ')'), surplus('[', ']'));
    loop {
        let Some(last) = link.chars().next_back() else { return 0 };
        let surplus = match last {
            ')' => &mut round,
            ']' => &mut square,
            _ if NOT_LAST.contains(&last) => &mut 1,
            _ => return link.len(),
        };
        if *surplus == 0 {
            return link.len();
        }
        *surplus -= 1;
        link = &link[..link.len() - last.len_utf8()];
    }
}

/// Reads a link; none if it leads nowhere.
pub fn address(link: &str) -> Option<Address> {
    let begins = |begin: &str| {
        link.get(..begin.len()).is_some_and(|start| start.eq_ignore_ascii_case(begin))
    };
    let (begin, before) = BEGINNINGS.iter().find(|(begin, _)| begins(begin))?;
    // a link that begins with its host keeps that
    let (scheme, rest) = match before.is_empty() {
        true => (*begin, &link[begin.len()..]),
        false => (*before, link),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(u, h)| (Some(u), h));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => (host, Some(port)),
        Some(_) | None => (host, None),
    };
    if host.len() > HOST_MAX {
        return None;
    }
    let labels: Option<Vec<String>> = host.split('.').map(label).collect();
    let is_v6 = host.starts_with('[') && host.ends_with(']');
    let host = if is_v6 { escape(host) } else { labels?.join(".") };
    let is_host = !host.trim_matches('.').is_empty() && host.len() <= HOST_MAX;
    let user = user.map_or_else(String::new, |user| format!("{}@", escape(user)));
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let whole = format!("{scheme}{user}{host}{port}{}", escape(path));
    is_host.then_some(Address { whole, host })
}

/// Returns a part of a host's name in its registered form; none for what is in no name.
fn label(label: &str) -> Option<String> {
    let label = label.to_lowercase();
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_') || it > '\u{a0}';
    if label.chars().count() > LABEL_MAX || !label.chars().all(is_name) {
        return None;
    }
    if label.is_ascii() { Some(label) } else { punycode(&label).map(|it| format!("xn--{it}")) }
}

/// Writes a text in ASCII as RFC 3492, 6.3, does; none if that overflows.
fn punycode(label: &str) -> Option<String> {
    let mut written: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(written.len()).ok()?;
    let (mut handled, mut delta, mut bias, mut code) = (basic, 0_u32, 72, 128_u32);
    if basic > 0 {
        written.push('-');
    }
    let points = || label.chars().map(u32::from);
    let all = u32::try_from(label.chars().count()).ok()?;
    while handled < all {
        let least = points().filter(|point| *point >= code).min()?;
        delta = delta.checked_add((least - code).checked_mul(handled + 1)?)?;
        code = least;
        for point in points() {
            delta = delta.checked_add(u32::from(point < code))?;
            if point == code {
                write_number(delta, bias, &mut written);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        code = code.checked_add(1)?;
    }
    Some(written)
}

fn write_number(mut number: u32, bias: u32, written: &mut String) {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let digit = |value: u32| char::from(DIGITS[value as usize]);
    for place in 1_u32.. {
        let threshold = (36 * place).saturating_sub(bias).clamp(1, 26);
        if number < threshold {
            break;
        }
        written.push(digit(threshold + (number - threshold) % (36 - threshold)));
        number = (number - threshold) / (36 - threshold);
    }
    written.push(digit(number));
}

fn adapt(delta: u32, points: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut places = 0;
    while delta > 455 {
        delta /= 35;
        places += 36;
    }
    places + 36 * delta / (delta + 38)
}

/// Writes all that is not plain ASCII as its bytes in hexadecimal.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~'
                if !matches!(
                    byte,
                    b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
                ) =>
            {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

impl Address {
    /// Tells whether a browser gets it if that is wanted.
    pub fn is_opened(&self) -> bool {
        let is_web = self.whole.starts_with("https://") || self.whole.starts_with("http://");
        is_web && self.whole.len() <= OPENED_MAX
    }

    /// Asks whether it is to be opened, and shows all of it.
    pub fn view(&self) -> Element<'_, Message> {
        let shown: String = self.whole.chars().take(SHOWN_MAX).collect();
        let is_cut = shown.len() < self.whole.len();
        let shown = text(if is_cut { format!("{shown} …") } else { shown });
        let shown = shown.size(size::BODY).wrapping(text::Wrapping::Glyph).width(Fill);
        let is_iirs = self.whole.starts_with("iirs://");
        let why = match (self.is_opened(), is_iirs) {
            (true, _) => words::link_leads(&self.host),
            (false, true) => words::LINK_IIRS.to_owned(),
            (false, false) => words::LINK_LONG.to_owned(),
        };
        let why = text(why).size(size::BODY).width(Fill);
        let cancel = widget::secondary("link-cancel", words::KEEP, Some(Message::Link(Way::Drop)));
        let copy = widget::secondary("link-copy", words::COPY, Some(Message::Link(Way::Copy)));
        let open = self.is_opened().then_some(Message::Link(Way::Open));
        let open = widget::primary("link-open", words::OPEN, open);
        let ways = row![cancel, copy, open].spacing(space::SMALL).wrap();
        let ways = ways.vertical_spacing(space::SMALL);
        let content = column![why, shown, ways].spacing(space::SMALL);
        container(content).padding(space::INNER).width(Fill).style(theme::panel).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    fn whole(link: &str) -> String {
        address(link).map(|it| it.whole).unwrap_or_default()
    }

    #[test]
    fn links_are_found_without_what_stands_around_them() {
        for (text, found) in [
            ("see https://example.org/a?b=c#d.", vec!["https://example.org/a?b=c#d"]),
            (
                "(http://example.org/x_(y)), or www.example.org!",
                vec!["http://example.org/x_(y)", "www.example.org"],
            ),
            ("iirs://chat.example.org:4433/#abc", vec!["iirs://chat.example.org:4433/#abc"]),
            ("HTTPS://EXAMPLE.ORG", vec!["HTTPS://EXAMPLE.ORG"]),
            ("awww.example.org xhttps://a.b user@www.example.org", vec![]),
            ("https:// https://. www. www", vec![]),
            (
                "<https://example.org>\nhttps://b.example",
                vec!["https://example.org", "https://b.example"],
            ),
            ("javascript:alert(1) file:///etc/passwd", vec![]),
            ("https://example.org/日本", vec!["https://example.org/日本"]),
        ] {
            assert_eq!(links(text), found, "{text}");
        }
    }

    #[test]
    fn a_hundred_links_are_enough_and_none_takes_long() {
        assert_eq!(find(&"www.a.b ".repeat(1000)).len(), LINKS_MAX);
        assert_eq!(find(&"www.".repeat(4000)).len(), 0);
        assert_eq!(find(&"https://".repeat(2000)).len(), 1, "of a computer named https");
        assert_eq!(find(&format!("https://a.b/{}", "x".repeat(10_000))).len(), 1);
    }

    #[test]
    fn an_address_is_shown_as_what_it_is() {
        assert_eq!(whole("www.Example.org/A"), "https://www.example.org/A");
        assert_eq!(whole("https://bücher.example/ü"), "https://xn--bcher-kva.example/%C3%BC");
        // Cyrillic а in place of a
        assert_eq!(whole("https://p\u{430}ypal.com"), "https://xn--pypal-4ve.com");
        assert_eq!(whole("http://пример.испытание"), "http://xn--e1afmkfd.xn--80akhbyknj4f");
        assert_eq!(whole("https://a.b/\u{202e}gpj"), "https://a.b/%E2%80%AEgpj");
        assert_eq!(whole("https://[2001:db8::1]:80/"), "https://[2001:db8::1]:80/");
        assert_eq!(whole("ftp://a.b"), "");
        let tricky = address("https://bank.example@evil.example/").expect("it leads somewhere");
        assert_eq!(tricky.host, "evil.example");
        assert_eq!(whole("https://a%2fb/"), "", "no name has that");
    }

    #[test]
    fn only_short_web_addresses_are_opened() {
        let is_opened = |link: &str| address(link).is_some_and(|it| it.is_opened());
        assert!(is_opened("https://a.b") && is_opened("http://a.b") && is_opened("www.a.b"));
        assert!(!is_opened("iirs://a.b:4433/#x"));
        assert!(!is_opened(&format!("https://a.b/{}", "x".repeat(OPENED_MAX))));
    }

    #[test]
    fn what_only_looks_like_links_takes_no_time() {
        let closes = |count: usize| "(www.".repeat(count / 15) + &")".repeat(count - count / 3);
        for text in [closes(16_000), "www.".repeat(4_000), format!("www.{}", "é".repeat(8_000))] {
            assert!(find(&text).is_empty());
        }
        let long = format!("see https://example.org/{} now", "a".repeat(20_000));
        assert_eq!(find(&long).len(), 1, "the beginning of it");
        assert_eq!(links("(see https://example.org/a_(b)))."), ["https://example.org/a_(b)"]);
    }
}
