//! Databases of released versions as text, which every later version must be able to read.
//!
//! A line is `tree key value`, key and value in hexadecimal. Bytes may be grouped by `.` and
//! broken over lines: a line that begins with white space carries on the value above it. `#` begins
//! a comment. `N*bb` stands for N times the byte bb.

/// The database of schema version 1.
pub const V1: &str = include_str!("../fixtures/v1.hex");

/// The database of schema version 2.
pub const V2: &str = include_str!("../fixtures/v2.hex");

/// The database of schema version 3.
pub const V3: &str = include_str!("../fixtures/v3.hex");

/// One entry of a fixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The tree's name.
    pub tree: String,
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Reads a fixture; `None` if the text is not one.
pub fn parse(text: &str) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default();
        let mut words = code.split_whitespace();
        if code.trim().is_empty() {
            continue;
        }
        if !code.starts_with(char::is_whitespace) {
            let (tree, key) = (words.next()?.to_owned(), bytes(words.next()?)?);
            entries.push(Entry { tree, key, value: Vec::new() });
        }
        for word in words {
            entries.last_mut()?.value.extend(bytes(word)?);
        }
    }
    Some(entries)
}

/// Writes a fixture into an empty database, as the release of that time left it.
pub fn load(db: &sled::Db, entries: &[Entry]) -> sled::Result<()> {
    for entry in entries {
        db.open_tree(&entry.tree)?.insert(&entry.key, entry.value.as_slice())?;
    }
    Ok(())
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in word.split('.') {
        let (times, digits) = match group.split_once('*') {
            Some((times, digits)) => (times.parse().ok()?, digits),
            None => (1, group),
        };
        let once = hex(digits)?;
        for _ in 0..times {
            bytes.extend_from_slice(&once);
        }
    }
    Some(bytes)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || digits.is_empty() {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use sled::Db;

    use super::*;
    use crate::{META_TREE, Opened, v1, v2, v3};

    fn loaded(text: &str) -> (tempfile::TempDir, Db, Vec<Entry>) {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::Config::new().path(dir.path()).cache_capacity(1 << 20).open().unwrap();
        let entries = parse(text).unwrap();
        load(&db, &entries).unwrap();
        (dir, db, entries)
    }

    fn read<R: DeserializeOwned>(db: &Db, tree: &str, key: impl AsRef<[u8]>) -> R {
        v1::decode(&db.open_tree(tree).unwrap().get(key).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn version_1_reads_as_what_it_is() {
        let (_dir, db, _) = loaded(V1);
        assert_eq!(crate::version(&db).unwrap(), Some(1));

        let bob: v1::Account = read(&db, v1::ACCOUNTS, 1u32.to_be_bytes());
        let expected = v1::Account {
            name: "bob".into(),
            password_file: vec![0xb0; 192],
            memory_kib: 262_144,
            passes: 3,
            lanes: 1,
            sealed_master: [0xb1; 80],
            sealed_identity: [0xb2; 112],
            created_ms: 1_767_225_601_500,
            disabled: true,
        };
        assert_eq!(bob, expected);
        assert_eq!(read::<v1::AccountIndex>(&db, v1::NAMES, "ann"), v1::AccountIndex(0));
        let entry: v1::DirectoryEntry = read(&db, v1::DIRECTORY, 1u32.to_be_bytes());
        assert_eq!(entry.record, [0xb3; 163]);
        let token: v1::Token = read(&db, v1::TOKENS, [0xc0; 32]);
        let expected =
            v1::Token { account_index: 0, expires_ms: 1_769_817_600_000, superseded: true };
        assert_eq!(token, expected);
        let held: v1::AccountTokens = read(&db, v1::ACCOUNT_TOKENS, 0u32.to_be_bytes());
        assert_eq!(held.0.iter().map(|token| token.hash[0]).collect::<Vec<_>>(), [0xc0, 0xc1]);
        assert_eq!(read::<v1::Secret>(&db, v1::SECRETS, "root-key").0, [0xd0; 138]);
        assert_eq!(read::<v1::Number>(&db, v1::STATE, "rounds-reserved"), v1::Number(4096));
    }

    #[test]
    fn version_1_has_an_entry_in_every_tree_and_each_encodes_back_to_its_bytes() {
        fn same<R: Serialize + DeserializeOwned>(value: &[u8]) -> Option<bool> {
            Some(v1::encode(&v1::decode::<R>(value)?)? == value)
        }
        let mut entries_by_tree: BTreeMap<String, usize> = BTreeMap::new();
        for Entry { tree, key, value } in parse(V1).unwrap() {
            let unchanged = match tree.as_str() {
                META_TREE => Some(value == 1u32.to_be_bytes()),
                v1::ACCOUNTS => same::<v1::Account>(&value),
                v1::NAMES => same::<v1::AccountIndex>(&value),
                v1::DIRECTORY => same::<v1::DirectoryEntry>(&value),
                v1::TOKENS => same::<v1::Token>(&value),
                v1::ACCOUNT_TOKENS => same::<v1::AccountTokens>(&value),
                v1::SECRETS => same::<v1::Secret>(&value),
                v1::STATE => same::<v1::Number>(&value),
                other => panic!("no tree of version 1: {other}"),
            };
            assert_eq!(unchanged, Some(true), "{tree} {key:02x?}");
            *entries_by_tree.entry(tree).or_default() += 1;
        }
        assert_eq!(entries_by_tree.len(), v1::TREES.len() + 1);
    }

    fn read_2<R: v2::Record>(db: &Db, tree: &str, key: impl AsRef<[u8]>) -> R {
        v2::decode(&db.open_tree(tree).unwrap().get(key).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn version_2_reads_as_what_it_is() {
        let (_dir, db, _) = loaded(V2);
        assert_eq!(crate::version(&db).unwrap(), Some(2));

        let ann: v2::Account = read_2(&db, v2::ACCOUNTS, 0u32.to_be_bytes());
        let expected = v2::Account {
            name: "ann".into(),
            password_file: vec![0xa0; 192],
            memory_kib: 262_144,
            passes: 3,
            lanes: 1,
            sealed_master: [0xa1; 80],
            sealed_identity: [0xa2; 112],
            created_ms: 1_767_225_600_000,
            disabled: false,
            deleted: false,
            password_changes: 2,
        };
        assert_eq!(ann, expected);
        let bob: v2::Account = read_2(&db, v2::ACCOUNTS, 1u32.to_be_bytes());
        assert!(bob.deleted && bob.disabled && bob.password_file.is_empty());
        assert_eq!(read_2::<v2::AccountIndex>(&db, v2::NAMES, "bob"), v2::AccountIndex(3));
        let token: v2::Token = read_2(&db, v2::TOKENS, [0xc1; 32]);
        let expected = v2::Token {
            account_index: 0,
            created_ms: 1_767_225_600_000,
            expires_ms: 1_769_817_700_000,
            superseded: false,
        };
        assert_eq!(token, expected);
        let vault: v2::Vault = read_2(&db, v2::VAULTS, 0u32.to_be_bytes());
        assert_eq!(vault, v2::Vault { version: 7, sealed: [0xf0; 3072] });
        let invite: v2::Invite = read_2(&db, v2::INVITES, [0xf1; 32]);
        assert_eq!(invite.expires_ms, 1_769_817_600_000);
        assert_eq!(read_2::<v2::Number>(&db, v2::STATE, "deletions"), v2::Number(1));
    }

    #[test]
    fn version_2_has_an_entry_in_every_tree_and_each_encodes_back_to_its_bytes() {
        fn same<R: v2::Record>(value: &[u8]) -> Option<bool> {
            Some(v2::encode(&v2::decode::<R>(value)?)? == value)
        }
        let mut entries_by_tree: BTreeMap<String, usize> = BTreeMap::new();
        for Entry { tree, key, value } in parse(V2).unwrap() {
            let unchanged = match tree.as_str() {
                META_TREE => Some(value == 2u32.to_be_bytes()),
                v2::ACCOUNTS => same::<v2::Account>(&value),
                v2::NAMES => same::<v2::AccountIndex>(&value),
                v2::DIRECTORY => same::<v2::DirectoryEntry>(&value),
                v2::TOKENS => same::<v2::Token>(&value),
                v2::ACCOUNT_TOKENS => same::<v2::AccountTokens>(&value),
                v2::VAULTS => same::<v2::Vault>(&value),
                v2::INVITES => same::<v2::Invite>(&value),
                v2::SECRETS => same::<v2::Secret>(&value),
                v2::STATE => same::<v2::Number>(&value),
                other => panic!("no tree of version 2: {other}"),
            };
            assert_eq!(unchanged, Some(true), "{tree} {key:02x?}");
            *entries_by_tree.entry(tree).or_default() += 1;
        }
        assert_eq!(entries_by_tree.len(), v2::TREES.len() + 1);
    }

    /// The sum of all entries that are summed, one by one.
    fn sum(entries: &[Entry]) -> u128 {
        let place = |name: &str| v2::TREES.iter().position(|tree| *tree == name);
        let summands = entries
            .iter()
            .filter_map(|it| Some(v3::summand(place(&it.tree)? as u8, &it.key, &it.value)));
        summands.fold(0, u128::wrapping_add)
    }

    #[test]
    fn version_3_opens_and_is_version_2_with_its_sums() {
        let (_dir, db, entries) = loaded(V3);
        assert_eq!(crate::open(&db, &|| Ok(())).unwrap(), Opened::Current);
        let sums: v3::Sums = read_2(&db, v3::SUMS, v3::ALL);
        assert_eq!(sums, v3::Sums { written: 23, sum: sum(&entries) });

        let others = |it: &Entry| it.tree != META_TREE && it.tree != v3::SUMS;
        let before: Vec<_> = parse(V2).unwrap().into_iter().filter(others).collect();
        assert_eq!(entries.into_iter().filter(others).collect::<Vec<_>>(), before);
    }

    #[test]
    fn version_2_becomes_version_3_and_nothing_else_changes() {
        let (_dir, db, entries) = loaded(V2);
        assert_eq!(crate::open(&db, &|| Ok(())).unwrap(), Opened::Migrated { from: 2 });
        for Entry { tree, key, value } in &entries {
            let now = db.open_tree(tree).unwrap().get(key).unwrap().unwrap();
            let raised = 3u32.to_be_bytes();
            let expected = if tree == META_TREE { &raised[..] } else { value.as_slice() };
            assert_eq!(now, expected);
        }
        let sums: v3::Sums = read_2(&db, v3::SUMS, v3::ALL);
        assert_eq!(sums, v3::Sums { written: 0, sum: sum(&entries) });
        assert_eq!(crate::open(&db, &|| Ok(())).unwrap(), Opened::Current);
    }

    #[test]
    fn a_summand_tells_tree_key_and_value_apart() {
        let of = v3::summand;
        assert_eq!(of(0, b"a", b"b"), of(0, b"a", b"b"));
        for other in [of(1, b"a", b"b"), of(0, b"ab", b""), of(0, b"", b"ab"), of(0, b"a", b"c")] {
            assert_ne!(of(0, b"a", b"b"), other);
        }
    }

    #[test]
    fn a_value_of_another_version_or_length_is_no_record() {
        let value = v1::encode(&v1::Number(7)).unwrap();
        assert!(v1::decode::<v1::Number>(&value).is_some());
        assert!(v1::decode::<v1::Number>(&[]).is_none());
        assert!(v1::decode::<v1::Number>(&value[..8]).is_none());
        assert!(v1::decode::<v1::Number>(&[&value[..], &[0]].concat()).is_none());
        assert!(v1::decode::<v1::Number>(&[&[2], &value[1..]].concat()).is_none());
        assert!(v1::encode(&v1::Secret(vec![0; 4087])).is_some());
        assert!(v1::encode(&v1::Secret(vec![0; 4088])).is_none());
    }

    #[test]
    fn a_text_that_is_no_fixture_is_refused() {
        for text in ["meta", "meta 0", "meta 00 zz", "meta 00 2*", "  00"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
