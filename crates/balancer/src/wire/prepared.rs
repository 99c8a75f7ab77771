//! COM_STMT_EXECUTE and its relatives: where ids and types of parameters stand in them.
//!
//! ```text
//! 0x17 · id (4) · flags (1) · iterations (4) · NULL bits (⌈n/8⌉) · types follow (1) · [types (2n)] · values
//! 0xFA · id (4) · flags (2) · [types (2n)] · rows
//! ```

use std::ops::Range;

use super::packet::Malformed;

/// Where the id stands in the payload of every command about a prepared statement.
pub const ID: Range<usize> = 1..5;
/// An execute is no shorter.
pub const HEAD: usize = 10;
/// An execute of many rows is no shorter.
pub const BULK_HEAD: usize = 7;
/// A fetch is as long: id and number of rows.
pub const FETCH: usize = 9;
/// In the flags of an execute of many rows: the types are there.
const BULK_TYPES: u8 = 128;

/// The statement that a command is about.
pub fn id(payload: &[u8]) -> Result<u32, Malformed> {
    let bytes = payload.get(ID).ok_or(Malformed::Short)?;
    Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| Malformed::Short)?))
}

/// The types of the parameters in an execute, perhaps of many rows, of a statement with `parameters`; `None`: those of
/// the last time.
pub fn types(payload: &[u8], bulk: bool, parameters: u16) -> Result<Option<&[u8]>, Malformed> {
    let n = usize::from(parameters);
    if n == 0 {
        return Ok(None);
    }
    let (at, follow) = if bulk {
        (BULK_HEAD, payload.get(..BULK_HEAD).ok_or(Malformed::Short)?[5] & BULK_TYPES != 0)
    } else {
        let follow = HEAD + n.div_ceil(8);
        (follow + 1, *payload.get(follow).ok_or(Malformed::Short)? != 0)
    };
    follow.then(|| payload.get(at..at + 2 * n).ok_or(Malformed::Short)).transpose()
}

/// The same execute with the types in it that it left out.
pub fn with_types(payload: &[u8], bulk: bool, parameters: u16, types: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + types.len());
    if bulk {
        out.extend_from_slice(&payload[..BULK_HEAD]);
        out[5] |= BULK_TYPES;
        out.extend_from_slice(types);
        out.extend_from_slice(&payload[BULK_HEAD..]);
        return out;
    }
    let follow = HEAD + usize::from(parameters).div_ceil(8);
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
        assert_eq!(types(with, false, 2), Ok(Some(&b"\x03\x00\x0f\x00"[..])));
        let without: &[u8] = b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x00\x2a\0\0\0\x01x";
        assert_eq!(types(without, false, 2), Ok(None));
        assert_eq!(with_types(without, false, 2, b"\x03\x00\x0f\x00"), with);
    }

    #[test]
    fn types_of_many_rows_are_found_and_put_back() {
        let with: &[u8] = b"\xfa\x05\0\0\0\x80\x00\x03\x00\x00\x2a\0\0\0";
        assert_eq!(types(with, true, 1), Ok(Some(&b"\x03\x00"[..])));
        let without: &[u8] = b"\xfa\x05\0\0\0\x00\x00\x00\x2a\0\0\0";
        assert_eq!(types(without, true, 1), Ok(None));
        assert_eq!(with_types(without, true, 1, b"\x03\x00"), with);
    }

    #[test]
    fn short_executes_are_refused() {
        assert_eq!(types(b"\xfa\x05\0\0\0", true, 1), Err(Malformed::Short));
        assert_eq!(types(b"\xfa\x05\0\0\0\x80\0\x03", true, 1), Err(Malformed::Short));
        assert_eq!(id(b"\x17\x05"), Err(Malformed::Short));
        assert_eq!(types(b"\x17\x05\0\0\0\0\x01\0\0\0", false, 2), Err(Malformed::Short));
        assert_eq!(types(b"\x17\x05\0\0\0\0\x01\0\0\0\x00\x01\x03", false, 2), Err(Malformed::Short));
    }
}
