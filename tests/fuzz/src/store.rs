//! What is read from the disk, and what programs on the server's machine ask.

use migrations::{v1, v2, v3};

/// The trees of today.
const TREES: [&str; 10] = [
    "accounts",
    "names",
    "directory",
    "tokens",
    "account-tokens",
    "vaults",
    "invites",
    "secrets",
    "state",
    "sums",
];

/// A value that is a record is written as it was read.
pub(crate) fn records(bytes: &[u8]) {
    let Some((tree, value)) = bytes.split_first() else { return };
    let tree = TREES[usize::from(*tree) % TREES.len()];
    if let Some(again) = server::store::record_again(tree, value) {
        assert!(again == value, "{tree}");
    }
}

/// The same of the frozen record types of released versions, and of the text of the fixtures.
pub(crate) fn migrations(bytes: &[u8]) {
    let Some((kind, value)) = bytes.split_first() else { return };
    match kind % 16 {
        0 => same(v1::decode::<v1::Account>(value).map(|record| v1::encode(&record)), value),
        1 => same(v1::decode::<v1::AccountIndex>(value).map(|record| v1::encode(&record)), value),
        2 => same(v1::decode::<v1::DirectoryEntry>(value).map(|record| v1::encode(&record)), value),
        3 => same(v1::decode::<v1::Token>(value).map(|record| v1::encode(&record)), value),
        4 => same(v1::decode::<v1::AccountTokens>(value).map(|record| v1::encode(&record)), value),
        5 => same(v1::decode::<v1::Secret>(value).map(|record| v1::encode(&record)), value),
        6 => same(v1::decode::<v1::Number>(value).map(|record| v1::encode(&record)), value),
        7 => same(v2::decode::<v2::Account>(value).map(|record| v2::encode(&record)), value),
        8 => same(v2::decode::<v2::Token>(value).map(|record| v2::encode(&record)), value),
        9 => same(v2::decode::<v2::Vault>(value).map(|record| v2::encode(&record)), value),
        10 => same(v3::decode::<v3::Sums>(value).map(|record| v3::encode(&record)), value),
        _ => same(v2::decode::<v2::Invite>(value).map(|record| v2::encode(&record)), value),
    }
}

/// Checks what a value that decoded was encoded to.
fn same(again: Option<Option<Vec<u8>>>, value: &[u8]) {
    if let Some(again) = again {
        assert!(again.as_deref() == Some(value));
    }
}

/// A request stays what it is when more comes behind it.
pub(crate) fn http(bytes: &[u8]) {
    if let Some(status) = server::http::probe(bytes) {
        let more = server::http::probe(&[bytes, b"\r\n"].concat());
        assert!(more == Some(status), "{status} {more:?}");
    }
}
