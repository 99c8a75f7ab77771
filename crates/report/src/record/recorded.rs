//! Only the values that a histogram of the log recorded: a second of one tag holds some tens of them in 23 000 places, so a
//! histogram made of each, and looked through for them, takes ten times as long as the reading itself.
//!
//! The form is HdrHistogram's second one: a header, then the counts of all places as zigzag LEB128 numbers, in which a negative
//! one stands for so many empty places; all of it in a zlib stream behind a header of its own.

use flate2::{Decompress, FlushDecompress, Status};

use super::histograms::{DIGITS, LOWEST_US};

/// Begins what is in a zlib stream.
const COMPRESSED: u32 = 0x1c84_9314;
/// Begins the histogram.
const PLAIN: u32 = 0x1c84_9313;
/// Length of its header: cookie, length, offset, digits, least and greatest value, ratio.
const HEADER: usize = 40;
/// More than all places of our range can take.
const MOST: usize = 256 * 1024;
/// Places in a bucket whose values lie equally far apart, at three digits, as a power of two.
const BUCKET_BITS: u32 = 10;
/// Places of all values that 64 bits can tell.
const PLACES: u64 = (64 - BUCKET_BITS as u64) << BUCKET_BITS;

/// Values in µs with their counts.
pub type Values = Vec<(u64, u64)>;

/// Reads encoded histograms one after the other.
pub struct Reader {
    inflater: Decompress,
    plain: Box<[u8]>,
}

impl Reader {
    /// With room for the largest.
    pub fn new() -> Self {
        Self { inflater: Decompress::new(true), plain: vec![0; MOST].into_boxed_slice() }
    }

    /// The recorded values of a histogram with our least value and digits, each the greatest that its place stands for; nothing
    /// where it is another, or broken.
    pub fn values(&mut self, encoded: &[u8], into: &mut Values) -> Option<()> {
        into.clear();
        if number(encoded, 0)? != COMPRESSED {
            return None;
        }
        self.inflater.reset(true);
        let packed = encoded.get(8..)?;
        let end = self.inflater.decompress(packed, &mut self.plain, FlushDecompress::Finish).ok()?;
        let length = usize::try_from(self.inflater.total_out()).ok()?;
        let (header, counts) = self.plain.get(..length)?.split_at_checked(HEADER)?;
        let ours = end == Status::StreamEnd
            && number(header, 0)? == PLAIN
            && usize::try_from(number(header, 4)?).ok()? == counts.len()
            && number(header, 8)? == 0
            && number(header, 12)? == u32::from(DIGITS)
            && header[16..24] == LOWEST_US.to_be_bytes()
            && header[32..] == 1.0_f64.to_be_bytes();
        if ours { recorded(counts, into) } else { None }
    }
}

/// Four bytes as a number.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// What is not 0 among the counts of all places.
fn recorded(mut counts: &[u8], into: &mut Values) -> Option<()> {
    let mut place = 0_u64;
    while !counts.is_empty() {
        let count = zigzag(leb128(&mut counts)?);
        if count < 0 {
            place = place.checked_add(count.unsigned_abs())?;
            continue;
        }
        if count > 0 {
            into.push((greatest(place)?, count.unsigned_abs()));
        }
        place += 1;
    }
    Some(())
}

/// The greatest value that a place stands for.
fn greatest(place: u64) -> Option<u64> {
    if place >= PLACES {
        return None;
    }
    let half = 1 << BUCKET_BITS;
    let (bucket, within) = (place >> BUCKET_BITS, place & (half - 1));
    // The first two buckets' values lie 1 apart, those of each later one twice as far as before.
    let (lead, apart) = if bucket == 0 { (0, 0) } else { (half, bucket - 1) };
    Some(((lead + within + 1) << apart) - 1)
}

/// Seven bits a byte, the least first; a ninth byte has eight.
fn leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for at in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if at == 8 {
            return Some(value | u64::from(*byte) << 56);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::{
        Histogram,
        serialization::{Serializer, V2DeflateSerializer, V2Serializer},
    };

    use super::{
        super::histograms::{HIGHEST_US, new_histogram},
        *,
    };

    fn encoded(histogram: &Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("encoded");
        bytes
    }

    #[test]
    fn the_values_are_those_that_the_histogram_tells() {
        let mut reader = Reader::new();
        let mut histogram = new_histogram();
        let mut values = Values::new();
        let (mut us, mut count) = (0, 1);
        while us <= HIGHEST_US {
            histogram.record_n(us, count).expect("in range");
            (us, count) = (us + us / 700 + 1, count * 3 % 100_000_007);
            if us.is_multiple_of(5) {
                reader.values(&encoded(&histogram), &mut values).expect("ours");
                let told = histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value()));
                assert!(values.iter().copied().eq(told), "up to {us} µs");
            }
        }
        assert!(values.len() > 10_000, "{}", values.len());
        reader.values(&encoded(&new_histogram()), &mut values).expect("ours");
        assert_eq!(values, [], "nothing of the one before is left");
    }

    #[test]
    fn what_is_of_another_kind_or_broken_is_left_to_others() {
        let (mut reader, mut values) = (Reader::new(), Values::new());
        let mut coarse = Histogram::<u64>::new_with_bounds(1, HIGHEST_US, 2).expect("bounds");
        let mut far = Histogram::<u64>::new_with_bounds(1_000, HIGHEST_US, 3).expect("bounds");
        for histogram in [&mut coarse, &mut far] {
            histogram.record(70_000).expect("in range");
            assert_eq!(reader.values(&encoded(histogram), &mut values), None);
        }
        let mut ours = new_histogram();
        (1..900).for_each(|us| ours.record(us * us).expect("in range"));
        let whole = encoded(&ours);
        for end in 0..whole.len() {
            assert_eq!(reader.values(&whole[..end], &mut values), None, "{end} of {} bytes", whole.len());
        }
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&ours, &mut plain).expect("encoded");
        assert_eq!(reader.values(&plain, &mut values), None);
        assert_eq!(recorded(&[0xff], &mut values), None, "a number without its end");
        let far = [0xfd, 0xff, 0xff, 0xff, 0x7f, 2];
        assert_eq!(recorded(&far, &mut values), None, "a place beyond all values");
    }
}
