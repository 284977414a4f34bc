//! Somebody with a few accounts, who changes them whenever the server serves, and looks at them first.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::sync::watch;
use wire::ids::Name;
use wire::link::Link;

use super::account::Account;
use super::journal::{Check, Journal, Life, Order, Stage};
use super::visitor::{Trouble, Visitor};

/// Accounts that one writer changes.
const ACCOUNTS_MAX: usize = 6;

/// Accounts put aside that a check looks at.
const SAMPLE: usize = 2;

/// Deleted accounts that one check looks at: the server counts each as a failed sign-in, and slows an address down that
/// has many.
const GONE_MAX: usize = 6;

/// Somebody with a few accounts.
pub(super) struct Writer {
    number: u32,
    rng: ChaCha20Rng,
    link: Link,
    journal: Arc<Journal>,
    lives: watch::Receiver<Life>,
    orders: watch::Receiver<Order>,
    /// In use, one may be deleted.
    accounts: Vec<Account>,
    /// Not changed any more.
    retired: Vec<Account>,
    /// Retired ones looked at in the check of all.
    looked_at: usize,
    made: u32,
}

impl Writer {
    /// Makes a writer; the seed decides what it does, the number how its accounts are named.
    pub(super) fn new(number: u32, seed: u64, link: &Link, journal: &Arc<Journal>) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(number) + 1);
        Self {
            number,
            rng,
            link: link.clone(),
            journal: journal.clone(),
            lives: journal.lives(),
            orders: journal.orders(),
            accounts: Vec::new(),
            retired: Vec::new(),
            looked_at: 0,
            made: 0,
        }
    }

    /// Does what is ordered until the order is to stop.
    pub(super) async fn run(mut self) {
        let mut checked = 0;
        loop {
            let order = *self.orders.borrow_and_update();
            match order {
                Order::Stop => return,
                Order::Write => {
                    if !self.serving().await {
                        continue;
                    }
                    if let Err(Trouble::Wrong(what)) = self.write().await {
                        self.journal.wrong(what);
                        return;
                    }
                }
                Order::Check(check) if check.number == checked => {
                    // nothing more to do until the next order
                    if self.orders.changed().await.is_err() {
                        return;
                    }
                }
                Order::Check(check) => match self.check(check).await {
                    Ok(unfinished) => {
                        checked = check.number;
                        self.journal.checked(checked, unfinished);
                    }
                    Err(Trouble::Gone) => tokio::task::yield_now().await,
                    Err(Trouble::Wrong(what)) => {
                        self.journal.wrong(what);
                        return;
                    }
                },
            }
        }
    }

    /// Waits until the server serves; not if another order comes first.
    async fn serving(&mut self) -> bool {
        tokio::select! {
            life = self.lives.wait_for(|life| life.stage == Stage::Serving) => life.is_ok(),
            _ = self.orders.changed() => false,
        }
    }

    /// Visits one account, and looks at it. Every other writer then changes or deletes it, and goes on to the next; the
    /// others sit in the rounds and store one vault after the other until the server is gone.
    async fn write(&mut self) -> Result<(), Trouble> {
        let mut visitor = Visitor::connect(&self.link, &self.journal).await?;
        let at = self.choose();
        let chance = self.rng.next_u32();
        let (account, journal) = (&mut self.accounts[at], &self.journal);
        if chance.is_multiple_of(4) {
            account.forget_session();
        }
        let Some(entered) = account.enter(&mut visitor, journal, true).await? else {
            return Ok(());
        };
        if self.number.is_multiple_of(2) {
            let mut seated = visitor.takes_seat(&entered.session, journal).await?;
            while *self.orders.borrow() == Order::Write {
                account.store_vault(&mut seated, journal).await?;
            }
            return Ok(());
        }
        if chance & 0x70 == 0 {
            return account.delete(&mut visitor, journal, &entered).await;
        }
        account.change_password(&mut visitor, journal, &entered).await
    }

    /// Looks at accounts, and changes nothing; returns whether there are more to look at.
    async fn check(&mut self, check: Check) -> Result<bool, Trouble> {
        for account in &mut self.accounts {
            look_at(account, &self.link, &self.journal).await?;
        }
        if !check.all {
            for _ in 0..SAMPLE.min(self.retired.len()) {
                let at = self.rng.next_u32() as usize % self.retired.len();
                look_at(&mut self.retired[at], &self.link, &self.journal).await?;
            }
            return Ok(false);
        }
        let mut gone = 0;
        while self.looked_at < self.retired.len() {
            let account = &mut self.retired[self.looked_at];
            gone += usize::from(account.is_gone());
            if gone > GONE_MAX {
                return Ok(true);
            }
            look_at(account, &self.link, &self.journal).await?;
            self.looked_at += 1;
        }
        Ok(false)
    }

    /// Chooses an account that is not deleted, sometimes a new one.
    fn choose(&mut self) -> usize {
        let gone = self.accounts.extract_if(.., |account| account.is_gone());
        self.retired.extend(gone);
        if self.accounts.is_empty() || self.rng.next_u32().is_multiple_of(4) {
            if self.accounts.len() == ACCOUNTS_MAX {
                self.retired.push(self.accounts.remove(0));
            }
            let name: Name = format!("w{}n{}", self.number, self.made)
                .parse()
                .expect("letters and digits are a name");
            self.made += 1;
            self.accounts.push(Account::new(name));
            return self.accounts.len() - 1;
        }
        self.rng.next_u32() as usize % self.accounts.len()
    }
}

async fn look_at(account: &mut Account, link: &Link, journal: &Journal) -> Result<(), Trouble> {
    let mut visitor = Visitor::connect(link, journal).await?;
    account.enter(&mut visitor, journal, false).await.map(drop)
}
