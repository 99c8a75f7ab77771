//! What clients say after the login: framing, commands, executes of prepared statements.

use balancer::wire::codec::{Front, front};
use balancer::wire::command::Command;
use balancer::wire::packet::{HEADER, Reader};
use balancer::wire::prepared;

/// The bytes as a stream of commands, and as one command's payload.
pub fn run(data: &[u8]) {
    stream(data);
    let _ = Command::of(data);
    values(data);
    let parameters = data.first().map_or(0, |first| u16::from(*first) * 3);
    for bulk in [false, true] {
        execute(data, bulk, parameters);
    }
}

/// Types are found whole, and where there are none they can be put in.
fn execute(data: &[u8], bulk: bool, parameters: u16) {
    match prepared::types(data, bulk, parameters) {
        Ok(Some(types)) => assert_eq!(types.len(), 2 * usize::from(parameters)),
        Ok(None) if parameters > 0 => {
            let types = vec![3; 2 * usize::from(parameters)];
            let with = prepared::with_types(data, bulk, parameters, &types);
            assert_eq!(prepared::types(&with, bulk, parameters), Ok(Some(&*types)), "types can be put in");
        }
        Ok(None) | Err(_) => {}
    }
}

/// Each command is found when its last byte has come, not before.
fn stream(data: &[u8]) {
    let mut rest = data;
    while let Ok(Front::Whole(length, _)) = front(rest, Some(0), 1 << 16) {
        assert!((HEADER..=rest.len()).contains(&length));
        assert_eq!(front(&rest[..length - 1], Some(0), 1 << 16), Ok(Front::Partial));
        rest = &rest[length..];
    }
}

fn values(data: &[u8]) {
    let mut reader = Reader::new(data);
    while let Ok(text) = reader.text() {
        assert!(text.len() < data.len());
    }
    let _ = reader.zero_ended();
}
