//! What is under a key that the other side has: a peer, a caller, another machine of this account.

pub(crate) fn cell(bytes: &[u8]) {
    client_core::probe::cell(bytes);
}

pub(crate) fn invitation(bytes: &[u8]) {
    client_core::probe::invitation(bytes);
}

pub(crate) fn vault(bytes: &[u8]) {
    client_core::probe::vault(bytes);
}
