//! Session tokens, of which the store knows only the hash.

use wire::ids::AccountIndex;
use wire::size;

use super::StoreError;
use super::record::{AccountTokens, HeldToken, TokenEntry};
use super::trees::{Change, Tree, Trees};

/// The tokens that an account may have at once; a further one takes the place of the oldest.
pub const TOKENS_PER_ACCOUNT_MAX: usize = 8;

/// SHA-256 of a session token, 32 bytes.
pub type TokenHash = [u8; size::HASH];

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

/// Reads a token.
pub(super) fn token(trees: &Trees, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
    let entry: Option<TokenEntry> = trees.get(Tree::Tokens, hash)?;
    Ok(entry.map(|entry| TokenRecord {
        account: AccountIndex(entry.account_index),
        expires_ms: entry.expires_ms,
        superseded: entry.superseded,
    }))
}

/// Adds a token, marks the account's older ones superseded, drops the expired and the excess.
pub(super) fn add(
    trees: &Trees,
    hash: TokenHash,
    account_index: u32,
    expires_ms: u64,
    now_ms: u64,
) -> Result<(), StoreError> {
    let mut held = held(trees, account_index)?;
    held.retain(|token| token.hash != hash);
    let mut changes = Vec::with_capacity(held.len() + 2);
    let excess = (held.len() + 1).saturating_sub(TOKENS_PER_ACCOUNT_MAX);
    let mut kept = Vec::with_capacity(held.len() + 1);
    for (age_rank, old) in held.into_iter().enumerate() {
        if old.expires_ms <= now_ms || age_rank < excess {
            changes.push(Change::remove(Tree::Tokens, old.hash));
            continue;
        }
        let entry = TokenEntry { account_index, expires_ms: old.expires_ms, superseded: true };
        changes.push(Change::put(Tree::Tokens, old.hash, &entry)?);
        kept.push(old);
    }
    let entry = TokenEntry { account_index, expires_ms, superseded: false };
    changes.push(Change::put(Tree::Tokens, hash, &entry)?);
    kept.push(HeldToken { hash, expires_ms });
    changes.push(Change::put(Tree::AccountTokens, key(account_index), &AccountTokens(kept))?);
    trees.apply(&changes)
}

/// Forgets a token.
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

fn held(trees: &Trees, account_index: u32) -> Result<Vec<HeldToken>, StoreError> {
    let tokens: Option<AccountTokens> = trees.get(Tree::AccountTokens, key(account_index))?;
    Ok(tokens.unwrap_or_default().0)
}

fn key(account_index: u32) -> [u8; 4] {
    account_index.to_be_bytes()
}
