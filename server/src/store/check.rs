//! Verifies a whole store: every record by itself, and all against each other.
//!
//! ```text
//!  directory ──place of a registration──► accounts ──name──► names ──► back
//!      │ chain of heads, signatures            ▲
//!      └ deletions: whose, by whose key        ├── tokens ◄──► account-tokens
//!                                              └── vaults
//! ```
//!
//! Reads entry by entry; of each account it holds name and index, about 200 bytes with the maps.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wire::codec::Wire as _;
use wire::control::{ROUND_MS_MAX, ROUND_MS_MIN};
use wire::directory::{Head, Record as PublicRecord};
use wire::ids::Name;
use zeroize::Zeroizing;

use super::directory::{DIRECTORY_MAX, Extent};
use super::invite::INVITES_MAX;
use super::record::{
    AccountRecord, AccountTokens, DirectoryRecord, IndexRecord, InviteRecord, NumberRecord, Record,
    SecretRecord, SumsRecord, TokenEntry, VaultRecord, decode,
};
use super::sums::{self, Sum};
use super::token::TOKENS_PER_ACCOUNT_MAX;
use super::trees::{Tree, Trees};
use super::{Restored, SecretKind, StoreError, state};

/// Problems that are kept; further ones are counted.
pub const PROBLEMS_MAX: usize = 100;

/// The most that a number which only grows can have come to; there is always one more.
const COUNT_MAX: u64 = u64::MAX / 2;

/// Records after which it is told how far a check is.
const TOLD_EVERY: u64 = 50_000;

/// What a check found.
#[derive(Default)]
pub struct Report {
    /// Records of each kind, by the name of their tree.
    pub records: Vec<(&'static str, u64)>,
    /// Accounts, without deleted ones.
    pub accounts: u32,
    /// What is wrong, at most [`PROBLEMS_MAX`] of it; it names places and not people.
    pub problems: Vec<String>,
    /// How many problems there are in all.
    pub problem_count: u64,
    /// The server's keys, for whoever can tell whether they are any.
    pub secrets: Vec<(SecretKind, Zeroizing<Vec<u8>>)>,
}

impl Report {
    /// Tells whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    /// Takes down something that is wrong.
    pub fn problem(&mut self, text: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text);
        }
    }
}

/// Whether the signatures of the directory's records are verified too: about 0.2 ms each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All but signatures.
    Links,
    /// Everything.
    Signatures,
}

/// Checks a store that nobody writes to; `told` hears the tree and how many of its records were read.
pub(super) fn check(
    trees: &Trees,
    depth: Depth,
    told: &mut dyn FnMut(&'static str, u64),
) -> Report {
    let mut check = Check {
        trees,
        depth,
        told,
        report: Report::default(),
        live: HashMap::new(),
        sum: Sum::default(),
    };
    for tree in ORDER {
        let name = tree.name();
        // sled panics on some damage.
        let outcome = catch_unwind(AssertUnwindSafe(|| check.tree(tree)));
        match outcome {
            Ok(Ok(records)) => check.report.records.push((name, records)),
            Ok(Err(error)) => check.report.problem(format!("{name} cannot be read: {error}")),
            Err(_) => check.report.problem(format!("{name} cannot be read: sled failed")),
        }
    }
    check.foreign_trees();
    check.report
}

/// The directory comes first: it says who there is.
const ORDER: [Tree; 10] = [
    Tree::Directory,
    Tree::Accounts,
    Tree::Names,
    Tree::Tokens,
    Tree::AccountTokens,
    Tree::Vaults,
    Tree::Invites,
    Tree::Secrets,
    Tree::State,
    Tree::Sums,
];

/// An account that the directory says there is.
struct Live {
    index: u32,
    name: Name,
    /// What was seen of it in the other trees.
    in_accounts: bool,
    in_names: bool,
}

struct Check<'c> {
    trees: &'c Trees,
    depth: Depth,
    told: &'c mut dyn FnMut(&'static str, u64),
    report: Report,
    /// By index.
    live: HashMap<u32, Live>,
    /// Of all records that were read.
    sum: Sum,
}

impl Check<'_> {
    fn tree(&mut self, tree: Tree) -> Result<u64, StoreError> {
        match tree {
            Tree::Directory => self.directory(),
            Tree::Accounts => self.accounts(),
            Tree::Names => self.names(),
            Tree::Tokens => self.tokens(),
            Tree::AccountTokens => self.account_tokens(),
            Tree::Vaults => self.vaults(),
            Tree::Invites => self.invites(),
            Tree::Secrets => self.secrets(),
            Tree::State => self.state(),
            Tree::Sums => self.sums(),
        }
    }

    /// Reads all records of a tree; undecodable ones are told and left out.
    fn each<R: Record>(
        &mut self,
        tree: Tree,
        mut act: impl FnMut(&mut Self, &[u8], R),
    ) -> Result<u64, StoreError> {
        let mut records = 0;
        for entry in self.trees.raw(tree) {
            let (key, value) = entry?;
            records += 1;
            self.sum.add(Sum::of(tree, &key, &value));
            if records % TOLD_EVERY == 0 {
                (self.told)(tree.name(), records);
            }
            match decode(&value) {
                Some(record) => act(self, &key, record),
                None => self.wrong(tree, &key, "is no record of this schema"),
            }
        }
        Ok(records)
    }

    fn each_indexed<R: Record>(
        &mut self,
        tree: Tree,
        mut act: impl FnMut(&mut Self, u32, R),
    ) -> Result<u64, StoreError> {
        self.each(tree, |check, key, record| match key.try_into().map(u32::from_be_bytes) {
            Ok(index) => act(check, index, record),
            Err(_) => check.wrong(tree, key, "has no index for a key"),
        })
    }

    /// Tells that an entry is wrong, by its place. Names are left out.
    fn wrong(&mut self, tree: Tree, key: &[u8], what: &str) {
        let place = match (tree, <[u8; 4]>::try_from(key)) {
            (Tree::Names, _) => "an entry".to_owned(),
            (Tree::Secrets | Tree::State | Tree::Sums, _) => {
                String::from_utf8_lossy(key).into_owned()
            }
            (_, Ok(index)) => u32::from_be_bytes(index).to_string(),
            (_, Err(_)) => key.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        };
        self.report.problem(format!("{}: {place} {what}", tree.name()));
    }

    fn wrong_at(&mut self, tree: Tree, index: u32, what: &str) {
        self.wrong(tree, &index.to_be_bytes(), what);
    }

    fn directory(&mut self) -> Result<u64, StoreError> {
        let tree = Tree::Directory;
        let (mut head, mut next) = (Head::EMPTY, 0);
        let mut newest: HashMap<Name, u32> = HashMap::new();
        let trees = self.trees.clone();
        let signing_of = |index: u32| {
            let entry = trees.get::<DirectoryRecord>(tree, index.to_be_bytes()).ok().flatten()?;
            Some(PublicRecord::decode(&entry.record).ok()?.signing)
        };
        let mut deletions = 0;
        let records = self.each_indexed::<DirectoryRecord>(tree, |check, index, entry| {
            if index != next {
                check.wrong_at(tree, index, &format!("follows {next} records: some are missing"));
            }
            next = index.saturating_add(1);
            head = head.after(&entry.record);
            if head.0 != entry.head {
                check.wrong_at(tree, index, "has a head that does not follow from those before");
                head = Head(entry.head);
            }
            let Ok(record) = PublicRecord::decode(&entry.record) else {
                return check.wrong_at(tree, index, "is no public record");
            };
            if check.depth == Depth::Signatures && record.verify().is_err() {
                check.wrong_at(tree, index, "is not signed by its own key");
            }
            let before = newest.remove(&record.name);
            if record.is_deletion() {
                deletions += 1;
                if before.and_then(signing_of) != Some(record.signing) {
                    check.wrong_at(
                        tree,
                        index,
                        "deletes an account that is not there, or another's",
                    );
                }
            } else {
                if before.is_some() {
                    check.wrong_at(tree, index, "registers a name that is taken");
                }
                newest.insert(record.name, index);
            }
        })?;
        if records > u64::from(DIRECTORY_MAX) {
            self.report.problem(format!("directory: more than {DIRECTORY_MAX} records"));
        }
        let live = newest.into_iter().map(|(name, index)| {
            (index, Live { index, name, in_accounts: false, in_names: false })
        });
        self.live = live.collect();
        self.report.accounts = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        match state::deletions(self.trees) {
            Ok(counted) if counted == deletions => (),
            Ok(counted) => self.report.problem(format!(
                "state: counts {counted} deletions, and the directory has {deletions}"
            )),
            Err(error) => self.report.problem(format!("state: deletions: {error}")),
        }
        Ok(records)
    }

    fn accounts(&mut self) -> Result<u64, StoreError> {
        let tree = Tree::Accounts;
        let records = self.each_indexed::<AccountRecord>(tree, |check, index, account| {
            match (check.live.get_mut(&index), account.deleted) {
                (Some(live), false) => {
                    live.in_accounts = true;
                    if live.name.as_str() != account.name {
                        check.wrong_at(tree, index, "has another name than in the directory");
                    }
                }
                (Some(_), true) => {
                    check.wrong_at(tree, index, "is deleted, and the directory has it")
                }
                (None, false) => {
                    check.wrong_at(tree, index, "is not in the directory, or deleted there")
                }
                (None, true) => {
                    if !account.password_file.is_empty() {
                        check.wrong_at(tree, index, "is deleted and still has a password");
                    }
                }
            }
        })?;
        self.missing(tree, |live| live.in_accounts);
        Ok(records)
    }

    fn names(&mut self) -> Result<u64, StoreError> {
        let tree = Tree::Names;
        let records =
            self.each::<IndexRecord>(tree, |check, key, IndexRecord(index)| {
                match check.live.get_mut(&index) {
                    Some(live) if live.name.as_str().as_bytes() == key => live.in_names = true,
                    Some(_) => {
                        let what = format!("leads to account {index}, which has another name");
                        check.wrong(tree, key, &what);
                    }
                    None => {
                        check.wrong(
                            tree,
                            key,
                            &format!("leads to account {index}, which is not there"),
                        );
                    }
                }
            })?;
        self.missing(tree, |live| live.in_names);
        Ok(records)
    }

    /// Tells the accounts that a tree has no entry for.
    fn missing(&mut self, tree: Tree, is_there: fn(&Live) -> bool) {
        let missing = self.live.values().filter(|live| !is_there(live)).map(|live| live.index);
        let mut missing: Vec<_> = missing.collect();
        missing.sort_unstable();
        for index in missing {
            let name = tree.name();
            self.report.problem(format!("{name}: nothing for account {index} of the directory"));
        }
    }

    fn tokens(&mut self) -> Result<u64, StoreError> {
        let tree = Tree::Tokens;
        let trees = self.trees.clone();
        self.each::<TokenEntry>(tree, |check, key, token| {
            let index = token.account_index;
            if !check.live.contains_key(&index) {
                return check.wrong(
                    tree,
                    key,
                    &format!("is of account {index}, which is not there"),
                );
            }
            let held = trees.get::<AccountTokens>(Tree::AccountTokens, index.to_be_bytes());
            let listed = held.ok().flatten().is_some_and(|held| {
                held.0.iter().any(|it| it.hash == key && it.expires_ms == token.expires_ms)
            });
            if !listed {
                check.wrong(tree, key, &format!("is not in the list of account {index}"));
            }
        })
    }

    fn account_tokens(&mut self) -> Result<u64, StoreError> {
        let tree = Tree::AccountTokens;
        let trees = self.trees.clone();
        self.each_indexed::<AccountTokens>(tree, |check, index, AccountTokens(held)| {
            if !check.live.contains_key(&index) {
                check.wrong_at(tree, index, "is of an account that is not there");
            }
            if held.is_empty() || held.len() > TOKENS_PER_ACCOUNT_MAX {
                check.wrong_at(tree, index, &format!("lists {} tokens", held.len()));
            }
            let is_of = |token: TokenEntry| token.account_index == index;
            let is_there = |hash: &[u8; 32]| {
                trees.get::<TokenEntry>(Tree::Tokens, hash).ok().flatten().is_some_and(is_of)
            };
            if !held.iter().all(|token| is_there(&token.hash)) {
                check.wrong_at(tree, index, "lists a token that is not there, or another's");
            }
        })
    }

    fn vaults(&mut self) -> Result<u64, StoreError> {
        let tree = Tree::Vaults;
        self.each_indexed::<VaultRecord>(tree, |check, index, vault| {
            if !check.live.contains_key(&index) {
                check.wrong_at(tree, index, "is of an account that is not there");
            }
            if vault.version == 0 {
                check.wrong_at(tree, index, "has version 0, which no vault has");
            }
        })
    }

    fn invites(&mut self) -> Result<u64, StoreError> {
        let records = self.each::<InviteRecord>(Tree::Invites, |check, key, _| {
            if key.len() != 32 {
                check.wrong(Tree::Invites, key, "is no hash of a code");
            }
        })?;
        if records > INVITES_MAX as u64 {
            self.report.problem(format!("invites: {records}, and {INVITES_MAX} may be"));
        }
        Ok(records)
    }

    fn secrets(&mut self) -> Result<u64, StoreError> {
        let records = self.each::<SecretRecord>(Tree::Secrets, |check, key, _| {
            if !SecretKind::ALL.iter().any(|kind| kind.key().as_bytes() == key) {
                check.wrong(Tree::Secrets, key, "is no key of the server");
            }
        })?;
        for kind in SecretKind::ALL {
            match state::secret(self.trees, kind) {
                Ok(Some(secret)) => self.report.secrets.push((kind, secret)),
                Ok(None) => self.report.problem(format!("secrets: {} is missing", kind.key())),
                // Told above.
                Err(_) => (),
            }
        }
        Ok(records)
    }

    fn state(&mut self) -> Result<u64, StoreError> {
        let mut of_restores = 0;
        let records = self.each::<NumberRecord>(Tree::State, |check, key, _| {
            if !state::is_number(key) {
                check.wrong(Tree::State, key, "is no number of the server");
            }
            of_restores += usize::from(state::is_of_restore(key));
        })?;
        match state::origin(self.trees) {
            Ok(origin) if (ROUND_MS_MIN..=ROUND_MS_MAX).contains(&origin.round_ms) => (),
            Ok(_) => self.report.problem("state: the length of a round is out of range".to_owned()),
            Err(_) => self.report.problem("state: what rounds count from is missing".to_owned()),
        }
        if state::rounds_reserved(self.trees)? > COUNT_MAX {
            self.report.problem("state: more rounds are reserved than there can be".to_owned());
        }
        self.restores(of_restores)?;
        Ok(records)
    }

    /// Checks the restores; `numbers` is how many numbers of the state are theirs.
    fn restores(&mut self, numbers: usize) -> Result<(), StoreError> {
        let length = Extent::of(self.trees)?.directory_len;
        let restores = state::restored(self.trees)?;
        // What is left over would become a part of the next restore.
        let is_whole = numbers == 3 * restores.len() && restores.iter().all(Restored::fits);
        let follows = |[one, next]: &[Restored; 2]| {
            one.restored_ms < next.restored_ms && one.directory_len <= next.directory_len
        };
        let is_in_order = restores.array_windows().all(follows);
        if !is_whole
            || !is_in_order
            || restores.last().is_some_and(|last| last.directory_len > length)
        {
            self.report.problem("state: the restores do not fit the directory".to_owned());
        }
        Ok(())
    }

    /// Comes last: all other records were read.
    fn sums(&mut self) -> Result<u64, StoreError> {
        let records = self.each::<SumsRecord>(Tree::Sums, |check, key, _| {
            if key != sums::ALL.as_bytes() {
                check.wrong(Tree::Sums, key, "is no sum of the server");
            }
        })?;
        let SumsRecord { written, sum } = self.trees.sums()?;
        if sum != self.sum.0 {
            self.report.problem(format!("sums: {}", sums::MISSING));
        }
        if written > COUNT_MAX {
            self.report.problem("sums: counts more writes than there can be".to_owned());
        }
        Ok(records)
    }

    fn foreign_trees(&mut self) {
        let ours = |name: &str| Tree::ALL.iter().any(|tree| tree.name() == name);
        for name in self.trees.names() {
            let is_known = ours(&name) || name == migrations::META_TREE;
            if !is_known && !self.trees.is_empty(&name).unwrap_or(false) {
                self.report.problem(format!("{name}: no tree of this schema, and not empty"));
            }
        }
    }
}
