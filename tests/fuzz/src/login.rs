//! OPAQUE with a hostile other side, and Argon2id with the cost that a server asks for.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::account::Stretching;
use wire::codec::Wire as _;
use wire::ids::Name;
use wire::link::Pin;
use wire::login::{LoginContext, LoginError, LoginServer, login_start, register_start};

use crate::input::Input;

/// The cheapest that there is.
const STRETCHING: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };

/// Plays one step against bytes of the other side, which never knows the password.
pub(crate) fn login(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let rng = &mut rng;
    let name: Name = "ann".parse().expect("it is a name");
    let pin = Pin([7; 32]);
    let context = LoginContext::new(pin, &[9; 32]);
    match input.u8() % 6 {
        0 => {
            let (state, _) = register_start(name, pin, b"password", rng).expect("it is short");
            let _ = state.finish(b"password", &input.array(), &STRETCHING, rng);
        }
        1 => {
            let (state, _) = login_start(name, b"password", rng).expect("it is short");
            let finished = state.finish(b"password", &input.array(), &STRETCHING, &context, rng);
            assert!(finished.is_err(), "the other side has no record");
        }
        2 => {
            let server = LoginServer::random(rng);
            let _ = server.register(&name, &input.array());
        }
        3 => {
            let _ = LoginServer::password_record(&input.array());
        }
        4 => {
            let server = LoginServer::random(rng);
            let (known, request, finalization) = (input.u8(), input.array(), input.array());
            let record = input.take(usize::MAX);
            let record = (known % 2 == 1).then_some(record);
            if let Ok((state, _)) = server.login(&name, record, &request, &context, rng) {
                let finished = state.finish(&name, &finalization, &context);
                let refused =
                    matches!(finished, Err(LoginError::Malformed | LoginError::WrongCredentials));
                assert!(refused, "the other side knows no password");
            }
        }
        _ => {
            let _ = LoginServer::from_bytes(input.take(usize::MAX), rng);
            if let Ok(stretching) = Stretching::decode(&input.array::<{ Stretching::SIZE }>()) {
                assert!(stretching.encode().len() == Stretching::SIZE);
            }
        }
    }
}
