//! Session tokens, of which the store knows only the hash.

use wire::ids::{AccountIndex, SessionId};
use wire::size;

use super::StoreError;
use super::account::{self, ProofError, ProvedAccount};
use super::record::{AccountTokens, HeldToken, TokenEntry};
use super::trees::{Change, Tree, Trees};

/// The tokens that an account may have at once; a further one takes the place of the oldest.
pub const TOKENS_PER_ACCOUNT_MAX: usize = size::SESSIONS_MAX;

/// SHA-256 of a session token, 32 bytes.
pub type TokenHash = [u8; size::HASH];

/// A session token that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub hash: TokenHash,
    /// Now, in Unix milliseconds.
    pub created_ms: u64,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
}

/// What is known of a session token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The account that signed in.
    pub account: AccountIndex,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// Whether a newer sign-in took its place.
    pub superseded: bool,
}

/// What an account sees of one of its session tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// SHA-256 of the token.
    pub hash: TokenHash,
    /// When the token was made, in Unix milliseconds; 0 if that is not known.
    pub created_ms: u64,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// Whether a newer sign-in took its place.
    pub superseded: bool,
}

/// Reads a token.
pub(super) fn token(trees: &Trees, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
    let entry: Option<TokenEntry> = trees.get(Tree::Tokens, hash)?;
    Ok(entry.map(|entry| TokenRecord {
        account: AccountIndex(entry.account_index),
        expires_ms: entry.expires_ms,
        superseded: entry.superseded,
    }))
}

/// Reads the tokens of an account, oldest first.
pub(super) fn sessions(trees: &Trees, account_index: u32) -> Result<Vec<TokenInfo>, StoreError> {
    let mut sessions = Vec::with_capacity(TOKENS_PER_ACCOUNT_MAX);
    for HeldToken { hash, .. } in held(trees, account_index)? {
        // The store thread may have removed it since the list was read.
        if let Some(entry) = trees.get::<TokenEntry>(Tree::Tokens, hash)? {
            let TokenEntry { created_ms, expires_ms, superseded, .. } = entry;
            sessions.push(TokenInfo { hash, created_ms, expires_ms, superseded });
        }
    }
    Ok(sessions)
}

/// Adds a token, marks the account's older ones superseded, drops the expired and the excess. Runs on
/// the store thread.
pub(super) fn add(
    trees: &Trees,
    proved: ProvedAccount,
    token: NewToken,
) -> Result<Result<(), ProofError>, StoreError> {
    if account::record_of(trees, proved)?.is_none() {
        return Ok(Err(ProofError::Stale));
    }
    let account_index = proved.index.0;
    let mut held = held(trees, account_index)?;
    held.retain(|old| old.hash != token.hash);
    let mut changes = Vec::with_capacity(held.len() + 2);
    let excess = (held.len() + 1).saturating_sub(TOKENS_PER_ACCOUNT_MAX);
    let mut kept = Vec::with_capacity(held.len() + 1);
    for (age_rank, old) in held.into_iter().enumerate() {
        let entry: Option<TokenEntry> = trees.get(Tree::Tokens, old.hash)?;
        let Some(entry) = entry.filter(|_| old.expires_ms > token.created_ms && age_rank >= excess)
        else {
            changes.push(Change::remove(Tree::Tokens, old.hash));
            continue;
        };
        let entry = TokenEntry { superseded: true, ..entry };
        changes.push(Change::put(Tree::Tokens, old.hash, &entry)?);
        kept.push(old);
    }
    changes.extend(put_last(account_index, token, kept)?);
    trees.apply(&changes)?;
    Ok(Ok(()))
}

/// Returns the changes that put a token in place of all that the account has.
pub(super) fn replace_all(
    trees: &Trees,
    account_index: u32,
    token: NewToken,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = remove_all(trees, account_index)?;
    changes.extend(put_last(account_index, token, Vec::new())?);
    Ok(changes)
}

/// Returns the changes that remove all tokens of an account.
pub(super) fn remove_all(trees: &Trees, account_index: u32) -> Result<Vec<Change>, StoreError> {
    let held = held(trees, account_index)?.into_iter();
    let tokens = held.map(|token| Change::remove(Tree::Tokens, token.hash));
    Ok(tokens.chain([Change::remove(Tree::AccountTokens, key(account_index))]).collect())
}

/// Forgets a token. Runs on the store thread.
pub(super) fn remove(trees: &Trees, hash: &TokenHash) -> Result<(), StoreError> {
    let Some(entry) = trees.get::<TokenEntry>(Tree::Tokens, hash)? else { return Ok(()) };
    let mut held = held(trees, entry.account_index)?;
    held.retain(|token| token.hash != *hash);
    let key = key(entry.account_index);
    trees.apply(&[
        Change::remove(Tree::Tokens, hash),
        if held.is_empty() {
            Change::remove(Tree::AccountTokens, key)
        } else {
            Change::put(Tree::AccountTokens, key, &AccountTokens(held))?
        },
    ])
}

/// Forgets one of an account's tokens and returns its hash; `None` if the account has no such
/// session. Runs on the store thread.
pub(super) fn end_session(
    trees: &Trees,
    account_index: u32,
    session: SessionId,
) -> Result<Option<TokenHash>, StoreError> {
    let mut held = held(trees, account_index)?.into_iter();
    let Some(token) = held.find(|token| SessionId::of(&token.hash) == session) else {
        return Ok(None);
    };
    remove(trees, &token.hash)?;
    Ok(Some(token.hash))
}

/// Returns the changes that add a token after those that an account keeps.
fn put_last(
    account_index: u32,
    token: NewToken,
    mut kept: Vec<HeldToken>,
) -> Result<[Change; 2], StoreError> {
    let NewToken { hash, created_ms, expires_ms } = token;
    let entry = TokenEntry { account_index, created_ms, expires_ms, superseded: false };
    kept.push(HeldToken { hash, expires_ms });
    Ok([
        Change::put(Tree::Tokens, hash, &entry)?,
        Change::put(Tree::AccountTokens, key(account_index), &AccountTokens(kept))?,
    ])
}

fn held(trees: &Trees, account_index: u32) -> Result<Vec<HeldToken>, StoreError> {
    let tokens: Option<AccountTokens> = trees.get(Tree::AccountTokens, key(account_index))?;
    Ok(tokens.unwrap_or_default().0)
}

fn key(account_index: u32) -> [u8; 4] {
    account_index.to_be_bytes()
}
