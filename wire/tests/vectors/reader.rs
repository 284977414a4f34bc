//! Reads the annotated hex of this folder.

use std::collections::BTreeMap;

/// Named byte strings of one file, each to be taken once.
pub(crate) struct Vectors {
    file: &'static str,
    named: BTreeMap<String, Vec<u8>>,
}

impl Vectors {
    /// Reads a file of this folder.
    pub(crate) fn open(file: &'static str) -> Self {
        let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { file, named: parse(&text) }
    }

    /// Takes the vector of a name.
    pub(crate) fn take(&mut self, name: &str) -> Vec<u8> {
        self.named.remove(name).unwrap_or_else(|| panic!("{} has no [{name}]", self.file))
    }

    /// Takes a vector of `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self, name: &str) -> [u8; N] {
        let bytes = self.take(name);
        let length = bytes.len();
        bytes.try_into().unwrap_or_else(|_| panic!("[{name}] has {length} bytes, not {N}"))
    }

    /// Checks that every vector of the file was taken.
    pub(crate) fn finish(self) {
        let left: Vec<_> = self.named.keys().collect();
        assert!(left.is_empty(), "{} has vectors that no test reads: {left:?}", self.file);
    }
}

/// `[name]` begins a vector; other lines are hex, `"text"`, `*n` (the last item n times) and `# comment`.
pub(crate) fn parse(text: &str) -> BTreeMap<String, Vec<u8>> {
    let mut named = BTreeMap::new();
    let mut name = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('[') {
            let title = title.strip_suffix(']').expect("a name ends in ]").to_owned();
            assert!(named.insert(title.clone(), Vec::new()).is_none(), "two vectors [{title}]");
            name = Some(title);
        } else {
            let bytes = parse_line(line);
            let vector = name.as_ref().and_then(|name| named.get_mut(name));
            match vector {
                Some(vector) => vector.extend(bytes),
                None => assert!(bytes.is_empty(), "bytes before the first name: {line}"),
            }
        }
    }
    named
}

fn parse_line(mut line: &str) -> Vec<u8> {
    let (mut bytes, mut last) = (Vec::new(), Vec::new());
    loop {
        line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            return bytes;
        }
        if let Some(text) = line.strip_prefix('"') {
            let (text, rest) = text.split_once('"').expect("text ends in a quotation mark");
            last = text.as_bytes().to_vec();
            bytes.extend(&last);
            line = rest;
            continue;
        }
        let (item, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(count) = item.strip_prefix('*') {
            let count: usize = count.parse().expect("a count follows the star");
            bytes.extend(last.repeat(count - 1));
        } else {
            last = unhex(item);
            bytes.extend(&last);
        }
        line = rest;
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2) && digits.is_ascii(), "whole bytes: {digits}");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}
