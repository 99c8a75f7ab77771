//! The first packets, from both sides.

use balancer::wire::auth::{SCRAMBLE, native};
use balancer::wire::capabilities::Capabilities;
use balancer::wire::handshake::{ChangeUser, Greeting, Response, read_auth_switch};

/// The bytes as each of them.
pub fn run(data: &[u8]) {
    if let Ok(greeting) = Greeting::read(data)
        && greeting.scramble.len() == SCRAMBLE
    {
        let again = Greeting::read(&greeting.write()).expect("what is written can be read");
        assert_eq!((again.version, again.id), (greeting.version, greeting.id));
        assert_eq!(again.scramble, greeting.scramble);
    }
    if let Ok(response) = Response::read(data) {
        assert!(response.name.len() < data.len());
        let proof = native::proof(&native::once(b"secret"), &[7; SCRAMBLE]);
        assert!(response.proof != proof, "a password was guessed");
    }
    let _ = ChangeUser::read(data, Capabilities::OFFERED);
    let _ = read_auth_switch(data);
}
