//! One account as its owner knows it, and how a visit finds out what became of what was not answered.

use std::time::Duration;

use wire::control::Session;
use wire::ids::{Name, Token};
use wire::kdf::{Label, hash};
use wire::size::{CONTROL_BODY, VAULT_PARTS};

use super::journal::{Deed, Journal};
use super::visitor::{No, Parts, Seated, Trouble, Visitor};

/// Whether the account is there, as far as the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existence {
    /// Nobody asked for it yet.
    No,
    /// Asked for, not answered.
    Asked,
    /// Acknowledged.
    Yes,
    /// Its deletion was asked for, not answered.
    Leaving,
    /// Its deletion was acknowledged.
    Gone,
}

/// An account: what the server acknowledged, and what it may have done beside.
pub(super) struct Account {
    name: Name,
    existence: Existence,
    /// Number of the password.
    password: u32,
    /// The next password was asked for.
    password_asked: bool,
    /// Version of the vault.
    vault: u64,
    /// The next vault was sent.
    vault_asked: bool,
    /// The session that must be resumed; none if it is not known which one counts.
    token: Option<Token>,
}

/// An account that somebody is signed in to.
pub(super) struct Entered {
    /// The session.
    pub(super) session: Box<Session>,
}

impl Account {
    /// Makes one that nobody asked for yet.
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            existence: Existence::No,
            password: 0,
            password_asked: false,
            vault: 0,
            vault_asked: false,
            token: None,
        }
    }

    /// Tells whether there is nothing more to do with it but to look.
    pub(super) fn is_gone(&self) -> bool {
        self.existence == Existence::Gone
    }

    /// Forgets the session, so that the next visit needs the password.
    pub(super) fn forget_session(&mut self) {
        self.token = None;
    }

    /// Finds out how the account stands, which must be as acknowledged or as asked; signs in if it is there. What was
    /// asked for and is not there is asked for again if `again`.
    pub(super) async fn enter(
        &mut self,
        visitor: &mut Visitor,
        journal: &Journal,
        again: bool,
    ) -> Result<Option<Entered>, Trouble> {
        match self.existence {
            Existence::No => {
                if !again {
                    return Ok(None);
                }
                self.register(visitor, journal).await?;
            }
            Existence::Asked => match self.try_password(visitor, self.password).await? {
                Some(session) => {
                    self.existence = Existence::Yes;
                    journal.did(Deed::DoubtThere);
                    return self.entered(visitor, journal, session).await.map(Some);
                }
                None => {
                    self.existence = Existence::No;
                    journal.did(Deed::DoubtNotThere);
                    if !again {
                        return Ok(None);
                    }
                    // not half there: the name is free
                    self.register(visitor, journal).await?;
                }
            },
            Existence::Gone => {
                if self.try_password(visitor, self.password).await?.is_some() {
                    return Err(self.wrong("was deleted, and is there again"));
                }
                journal.did(Deed::LookedAt);
                return Ok(None);
            }
            Existence::Yes | Existence::Leaving => (),
        }
        let session = match self.sign_in(visitor, journal).await? {
            Some(session) => session,
            None if self.existence == Existence::Leaving => {
                self.existence = Existence::Gone;
                journal.did(Deed::DoubtThere);
                return Ok(None);
            }
            None => return Err(self.wrong("was acknowledged, and is not there")),
        };
        if self.existence == Existence::Leaving {
            self.existence = Existence::Yes;
            journal.did(Deed::DoubtNotThere);
        }
        self.entered(visitor, journal, session).await.map(Some)
    }

    /// Changes the password.
    pub(super) async fn change_password(
        &mut self,
        visitor: &mut Visitor,
        journal: &Journal,
        entered: &Entered,
    ) -> Result<(), Trouble> {
        let passwords = (password(self.password), password(self.password + 1));
        (self.password_asked, self.token) = (true, None);
        let passwords = (passwords.0.as_str(), passwords.1.as_str());
        let token = visitor.change_password(self.name, &entered.session, passwords).await?;
        (self.password_asked, self.token) = (false, Some(token));
        self.password += 1;
        journal.did(Deed::PasswordChanged);
        Ok(())
    }

    /// Stores the next vault.
    pub(super) async fn store_vault(
        &mut self,
        seated: &mut Seated,
        journal: &Journal,
    ) -> Result<(), Trouble> {
        self.vault_asked = true;
        seated.store_vault(self.vault, &self.parts(self.vault + 1)).await?;
        self.vault_asked = false;
        self.vault += 1;
        journal.did(Deed::VaultStored);
        Ok(())
    }

    /// Deletes the account.
    pub(super) async fn delete(
        &mut self,
        visitor: &mut Visitor,
        journal: &Journal,
        entered: &Entered,
    ) -> Result<(), Trouble> {
        (self.existence, self.token) = (Existence::Leaving, None);
        visitor.delete(self.name, &entered.session, &password(self.password)).await?;
        self.existence = Existence::Gone;
        journal.did(Deed::Deleted);
        Ok(())
    }

    async fn register(&mut self, visitor: &mut Visitor, journal: &Journal) -> Result<(), Trouble> {
        self.existence = Existence::Asked;
        match visitor.register(self.name, &password(self.password)).await? {
            Ok(()) => {
                self.existence = Existence::Yes;
                journal.did(Deed::Registered);
                Ok(())
            }
            Err(()) => Err(self.wrong("is not there, and its name is taken")),
        }
    }

    /// Signs in by session or password, whatever of it must work; none if there is no such account.
    async fn sign_in(
        &mut self,
        visitor: &mut Visitor,
        journal: &Journal,
    ) -> Result<Option<Box<Session>>, Trouble> {
        if let Some(token) = &self.token {
            let session = visitor.resume(token).await;
            let session = session.map_err(|trouble| self.explain(trouble))?;
            journal.did(Deed::Resumed);
            return Ok(Some(session));
        }
        if self.password_asked {
            let next = self.try_password(visitor, self.password + 1).await?;
            self.password_asked = false;
            journal.did(if next.is_some() { Deed::DoubtThere } else { Deed::DoubtNotThere });
            if next.is_some() {
                self.password += 1;
                journal.did(Deed::SignedIn);
                return Ok(next);
            }
        }
        let session = self.try_password(visitor, self.password).await?;
        if session.is_some() {
            journal.did(Deed::SignedIn);
        }
        Ok(session)
    }

    async fn try_password(
        &mut self,
        visitor: &mut Visitor,
        number: u32,
    ) -> Result<Option<Box<Session>>, Trouble> {
        loop {
            let tried = visitor.sign_in(self.name, &password(number)).await;
            match tried.map_err(|trouble| self.explain(trouble))? {
                Ok(session) => {
                    self.token = Some(session.token.duplicate());
                    return Ok(Some(session));
                }
                Err(No::WrongCredentials) => return Ok(None),
                // The connection is kept open for longer than the delays take.
                Err(No::SlowDown(wait)) => {
                    tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
                }
            }
        }
    }

    /// Looks at everything that a signed-in client can read.
    async fn entered(
        &mut self,
        visitor: &mut Visitor,
        journal: &Journal,
        session: Box<Session>,
    ) -> Result<Entered, Trouble> {
        let (version, parts) = visitor.vault().await.map_err(|trouble| self.explain(trouble))?;
        let asked = self.vault + u64::from(self.vault_asked);
        if version != self.vault && version != asked {
            let what = format!("has vault {version}, and vault {} was acknowledged", self.vault);
            return Err(self.wrong(&what));
        }
        if parts != self.parts(version) {
            return Err(self.wrong(&format!("has a vault {version} that nobody sent")));
        }
        if self.vault_asked {
            let there = version == asked;
            journal.did(if there { Deed::DoubtThere } else { Deed::DoubtNotThere });
        }
        (self.vault, self.vault_asked) = (version, false);
        journal.did(Deed::LookedAt);
        Ok(Entered { session })
    }

    /// Makes the vault of a version; version 0 is empty.
    fn parts(&self, version: u64) -> Parts {
        let mut parts = [[0; CONTROL_BODY]; VAULT_PARTS as usize];
        if version > 0 {
            for (part, bytes) in (0_u8..).zip(&mut parts) {
                let label = Label("iirs crash vault");
                let name = self.name.to_string();
                let pattern = hash(label, &[name.as_bytes(), &version.to_be_bytes(), &[part]]);
                bytes
                    .chunks_mut(pattern.len())
                    .for_each(|it| it.copy_from_slice(&pattern[..it.len()]));
            }
        }
        parts
    }

    fn explain(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Gone => Trouble::Gone,
            Trouble::Wrong(what) => Trouble::Wrong(format!("{}: {what}", self.standing())),
        }
    }

    fn wrong(&self, what: &str) -> Trouble {
        Trouble::Wrong(format!("{} {what}", self.standing()))
    }

    fn standing(&self) -> String {
        format!(
            "account {} ({:?}, password {}{}, vault {}{})",
            self.name,
            self.existence,
            self.password,
            if self.password_asked { " or the next" } else { "" },
            self.vault,
            if self.vault_asked { " or the next" } else { "" },
        )
    }
}

fn password(number: u32) -> String {
    format!("password {number}")
}
