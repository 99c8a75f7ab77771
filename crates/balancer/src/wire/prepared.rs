//! COM_STMT_EXECUTE and its relatives: where ids and types of parameters stand in them.
//!
//! ```text
//! 0x17 · id (4) · flags (1) · iterations (4) · NULL bits (⌈n/8⌉) · types follow (1) · [types (2n)] · values
//! ```

use std::ops::Range;

use super::packet::Malformed;

/// Where the id stands in the payload of every command about a prepared statement.
pub const ID: Range<usize> = 1..5;
/// Where the kind of cursor stands in an execute.
pub const CURSOR: usize = 5;
const NULL_BITS: usize = 10;

/// The statement that a command is about.
pub fn id(payload: &[u8]) -> Result<u32, Malformed> {
    let bytes = payload.get(ID).ok_or(Malformed::Short)?;
    Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| Malformed::Short)?))
}

/// The types of the parameters in an execute of a statement with `parameters`; `None`: those of the last time.
pub fn types(payload: &[u8], parameters: u16) -> Result<Option<&[u8]>, Malformed> {
    let n = usize::from(parameters);
    if n == 0 {
        return Ok(None);
    }
    let follow = NULL_BITS + n.div_ceil(8);
    match payload.get(follow).ok_or(Malformed::Short)? {
        0 => Ok(None),
        _ => Ok(Some(payload.get(follow + 1..follow + 1 + 2 * n).ok_or(Malformed::Short)?)),
    }
}

/// The same execute with the types in it that it left out.
pub fn with_types(payload: &[u8], parameters: u16, types: &[u8]) -> Vec<u8> {
    let follow = NULL_BITS + usize::from(parameters).div_ceil(8);
    let mut out = Vec::with_capacity(payload.len() + types.len());
    out.extend_from_slice(&payload[..follow]);
    out.push(1);
    out.extend_from_slice(types);
    out.extend_from_slice(&payload[follow + 1..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_and_put_back() {
        let with: &[u8] = b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x01\x03\x00\x0f\x00\x2a\0\0\0\x01x";
        assert_eq!(id(with), Ok(5));
        assert_eq!(types(with, 2), Ok(Some(&b"\x03\x00\x0f\x00"[..])));
        let without: &[u8] = b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x00\x2a\0\0\0\x01x";
        assert_eq!(types(without, 2), Ok(None));
        assert_eq!(with_types(without, 2, b"\x03\x00\x0f\x00"), with);
    }

    #[test]
    fn short_executes_are_refused() {
        assert_eq!(id(b"\x17\x05"), Err(Malformed::Short));
        assert_eq!(types(b"\x17\x05\0\0\0\0\x01\0\0\0", 2), Err(Malformed::Short));
        assert_eq!(types(b"\x17\x05\0\0\0\0\x01\0\0\0\x00\x01\x03", 2), Err(Malformed::Short));
    }
}
