//! Calls and contacts: what a program asks of them.

use super::Client;
use super::commands::about;
use crate::api::ErrorCode;

impl Client {
    pub(super) fn call(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn accept(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn decline(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn block(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn unblock(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn forget(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn verify(&mut self, peer: &str, _verified: bool) {
        self.unmade(peer);
    }

    pub(super) fn accept_key(&mut self, peer: &str) {
        self.unmade(peer);
    }

    pub(super) fn tell_contacts(&mut self) {
        self.unmade("");
    }

    fn unmade(&mut self, peer: &str) {
        self.error(ErrorCode::NotAContact, "calls are being built", about(peer));
    }
}
