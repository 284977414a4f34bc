//! Password change and deletion, step by step, and vaults.

use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use wire::account::{SealedIdentity, SealedMaster};
use wire::control::{
    ChangeFinish, ChangeStart, ClientControl, DeleteFinish, DeleteStart, Refusal, ServerControl,
    VaultGet, VaultPut,
};
use wire::directory::Record;
use wire::login::{LoginContext, LoginState, RegisterState, login_start, register_start};
use wire::size::{CONTROL_BODY, CREDENTIAL_FINALIZATION};

use super::{CHEAP, Client, Seated, name};

/// What a change of password leaves as sealed master key.
pub(crate) const NEW_MASTER: SealedMaster = SealedMaster([7; 80]);

/// A change of password between its steps.
pub(crate) struct Change {
    old: Vec<u8>,
    new: Vec<u8>,
    login: LoginState,
    registration: RegisterState,
}

/// A deletion between its steps.
pub(crate) struct Deletion {
    password: Vec<u8>,
    login: LoginState,
}

impl Change {
    pub(crate) fn start(client: &Client, who: &str, old: &str, new: &str) -> (Self, ClientControl) {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let (login, ke1) = login_start(name(who), old, &mut OsRng).unwrap();
        let (registration, request) =
            register_start(name(who), client.pin, new, &mut OsRng).unwrap();
        let start = ChangeStart { login: ke1, registration: request };
        let change = Self { old: old.to_vec(), new: new.to_vec(), login, registration };
        (change, ClientControl::ChangeStart(start))
    }

    /// Makes the second step. A client that could not open the server's answer goes on all the same.
    pub(crate) fn finish(self, context: &LoginContext, reply: &ServerControl) -> ChangeFinish {
        let ServerControl::ChangeReply(reply) = reply else { panic!("not a change reply") };
        let response = &reply.login.response;
        let last = self.login.finish(&self.old, response, &CHEAP, context, &mut OsRng);
        let finalization = last.map_or([7; CREDENTIAL_FINALIZATION], |(last, _)| last);
        let upload = self.registration.finish(&self.new, &reply.registration, &CHEAP, &mut OsRng);
        let (upload, _) = upload.unwrap();
        let (master, identity) = (NEW_MASTER, SealedIdentity([8; 112]));
        ChangeFinish { finalization, upload, stretching: CHEAP, master, identity }
    }
}

impl Deletion {
    pub(crate) fn start(who: &str, password: &str) -> (Self, ClientControl) {
        let password = password.as_bytes();
        let (login, ke1) = login_start(name(who), password, &mut OsRng).unwrap();
        let deletion = Self { password: password.to_vec(), login };
        (deletion, ClientControl::DeleteStart(DeleteStart { login: ke1 }))
    }

    pub(crate) fn finish(
        self,
        context: &LoginContext,
        reply: &ServerControl,
        record: Record,
    ) -> ClientControl {
        let ServerControl::DeleteReply(reply) = reply else { panic!("not a delete reply") };
        let last = self.login.finish(&self.password, &reply.response, &CHEAP, context, &mut OsRng);
        let finalization = last.map_or([7; CREDENTIAL_FINALIZATION], |(last, _)| last);
        ClientControl::DeleteFinish(Box::new(DeleteFinish { finalization, record }))
    }
}

impl Client {
    /// Changes the password; returns the answer to the last step.
    pub(crate) async fn change(&mut self, who: &str, old: &str, new: &str) -> ServerControl {
        let (change, start) = Change::start(self, who, old, new);
        let reply = self.ask(&start).await;
        if matches!(reply, ServerControl::Refused(_)) {
            return reply;
        }
        let finish = change.finish(&self.context(), &reply);
        self.ask(&ClientControl::ChangeFinish(Box::new(finish))).await
    }

    /// Deletes the account with a record; returns the answer to the last step.
    pub(crate) async fn delete(
        &mut self,
        who: &str,
        password: &str,
        record: Record,
    ) -> ServerControl {
        let (deletion, start) = Deletion::start(who, password);
        let reply = self.ask(&start).await;
        if matches!(reply, ServerControl::Refused(_)) {
            return reply;
        }
        let finish = deletion.finish(&self.context(), &reply, record);
        self.ask(&finish).await
    }

    /// Reads the vault: its version and the first byte of each part.
    pub(crate) async fn get_vault(&mut self) -> (u64, [u8; 3]) {
        let mut versions = [0; 3];
        let mut thirds = [0; 3];
        for part in 0..3 {
            let answer = self.ask(&ClientControl::VaultGet(VaultGet { part })).await;
            let ServerControl::VaultPart(it) = answer else { panic!("not a part") };
            assert!(it.part == part && it.bytes.iter().all(|&byte| byte == it.bytes[0]));
            (versions[usize::from(part)], thirds[usize::from(part)]) = (it.version, it.bytes[0]);
        }
        assert!(versions.iter().all(|&version| version == versions[0]), "{versions:?}");
        (versions[0], thirds)
    }
}

impl Seated {
    /// Brings a vault whose parts are full of these bytes; returns the last answer.
    pub(crate) async fn put_vault(
        &mut self,
        (base, version): (u64, u64),
        thirds: [u8; 3],
    ) -> ServerControl {
        for part in 0..2 {
            let put = vault_put(part, (base, version), thirds);
            assert!(matches!(self.ask(&put).await, ServerControl::VaultStaged), "part {part}");
        }
        self.ask(&vault_put(2, (base, version), thirds)).await
    }
}

/// Makes a part full of its third's byte.
pub(crate) fn vault_put(part: u8, (base, version): (u64, u64), thirds: [u8; 3]) -> ClientControl {
    let bytes = [thirds[usize::from(part)]; CONTROL_BODY];
    ClientControl::VaultPut(Box::new(VaultPut { part, base, version, bytes }))
}

/// Makes the record that deletes an account with this key.
pub(crate) fn deletion(who: &str, key: &SigningKey) -> Record {
    Record::deletion(name(who), key)
}

/// Returns why a request was refused.
pub(crate) fn why(answer: &ServerControl) -> Refusal {
    match answer {
        ServerControl::Refused(refused) => refused.why,
        _ => panic!("not refused"),
    }
}
