//! LOAD DATA LOCAL: a file of the client's, for the node.

use std::io;

use bytes::Buf;

use super::one::HELD;
use crate::pool::connect::Connection;
use crate::session::client::{Client, Gone};
use crate::wire::packet::{HEADER, header};

/// Passes a file from the client to the node, up to the empty packet that ends it. When the node breaks, the rest of the
/// file is read and thrown away, so that the client stays usable.
pub(super) async fn pass_file(
    connection: &mut Connection,
    client: &mut Client,
) -> Result<io::Result<()>, Gone> {
    client.finish_command();
    let mut outcome = Ok(());
    let mut left = 0;
    // Where frames are counted, not packets, clients may number packets as they like, and nodes do not care for it.
    let renumber = client.stream.is_compressed();
    let mut next = client.sequence;
    loop {
        let ready = left.min(client.buffer.len());
        if ready > 0 {
            if outcome.is_ok() {
                outcome = connection.stream.write_all(&client.buffer[..ready]).await;
            }
            client.buffer.advance(ready);
            left -= ready;
        }
        if left == 0
            && let Some((length, sequence)) = header(&client.buffer)
        {
            left = HEADER + length;
            let sequence = if renumber { next } else { sequence };
            client.buffer[HEADER - 1] = sequence;
            next = sequence.wrapping_add(1);
            client.sequence = next;
            if length == 0 {
                if outcome.is_ok() {
                    outcome = connection.stream.write_all(&client.buffer[..HEADER]).await;
                }
                client.buffer.advance(HEADER);
                client.stream.follow_frames(client.sequence);
                return Ok(outcome);
            }
            continue;
        }
        if !client.stream.read_with_room(&mut client.buffer, HELD).await? {
            return Err(Gone::Over);
        }
    }
}
