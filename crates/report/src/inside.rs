//! Browsers inside an interaction, second by second, found in two ways (Little's law: their number is rate × mean latency).
//!
//! *Counted*: pages asked for (each leaves one value of [`TAG_LATE`] when its browser wakes up to ask), less those that ended
//! well and those given up. *By latency*: each latency laid over the seconds in which it passed; where nothing changes, that is
//! the rate times the mean. The count knows nothing of how long a page was due before somebody asked for it, the latency does:
//! what the latencies come to beyond the count waited inside the generator.

use crate::record::{ErrorRow, TAG_ERROR, TAG_LATE, TAG_READ, TAG_SERVICE, TAG_WRITE};

/// The only failed try after which a page is given up at once: its order may have been made.
const UNKNOWN_ORDER: (&str, &str) = ("buy_confirm", "unknown_commit");

/// Browsers inside an interaction in one second, in its mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InsideSecond {
    /// Seconds since the start of the load.
    pub second: u32,
    /// Asked and neither ended nor given up: the mean of the counts at its beginning and its end.
    pub counted: f64,
    /// Rate × mean latency, from when a page was due.
    pub by_latency: f64,
    /// Rate × mean service time, from asking with a connection in hand, the last try alone.
    pub by_service: f64,
}

/// What the histograms tell of all seconds of a load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    seconds: Vec<Recorded>,
}

/// What they tell of one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Recorded {
    asked: u64,
    ended: u64,
    latency_s: f64,
    service_s: f64,
}

impl Inside {
    /// Of a load of so many seconds.
    pub fn new(load_s: u32) -> Self {
        Self { seconds: vec![Recorded::default(); load_s as usize] }
    }

    /// Adds values in µs with their counts, which one tag has in a second.
    pub fn add(&mut self, second: u32, tag: &str, recorded: &[(u64, u64)]) {
        let end = second as usize;
        if end >= self.seconds.len() {
            return;
        }
        let count: u64 = recorded.iter().map(|(_, count)| count).sum();
        let place: fn(&mut Recorded) -> &mut f64 = match tag {
            TAG_READ | TAG_WRITE | TAG_ERROR => return,
            TAG_LATE => return self.seconds[end].asked += count,
            TAG_SERVICE => |second| &mut second.service_s,
            _ => {
                self.seconds[end].ended += count;
                |second| &mut second.latency_s
            }
        };
        for (us, count) in recorded {
            for (back, passed) in laid(crate::folder::ms(*us) / 1000.0).take(end + 1).enumerate() {
                *place(&mut self.seconds[end - back]) += passed * *count as f64;
            }
        }
    }

    /// Every second; nothing where it was not recorded when pages were asked for, as in folders of older versions.
    pub fn seconds(&self, errors: &[ErrorRow]) -> Vec<InsideSecond> {
        if self.seconds.iter().all(|second| second.asked == 0) {
            return Vec::new();
        }
        let mut given_up = vec![0; self.seconds.len()];
        for row in errors.iter().filter(|row| is_unknown_order(row)) {
            if let Some(count) = given_up.get_mut(row.second as usize) {
                *count += row.count;
            }
        }
        let mut inside: i64 = 0;
        let told = |((second, recorded), given_up): ((u32, &Recorded), &u64)| {
            let before = inside;
            inside += recorded.asked as i64 - (recorded.ended + given_up) as i64;
            let counted = f64::midpoint(before.max(0) as f64, inside.max(0) as f64);
            let Recorded { latency_s: by_latency, service_s: by_service, .. } = *recorded;
            InsideSecond { second, counted, by_latency, by_service }
        };
        (0..).zip(&self.seconds).zip(&given_up).map(told).collect()
    }
}

/// Pages given up at moments that no table tells: refused too often, or unanswered when their browser was told to end. The count
/// keeps them as asked.
pub fn left_inside(errors: &[ErrorRow], given_up: u64) -> u64 {
    let known: u64 = errors.iter().filter(|row| is_unknown_order(row)).map(|row| row.count).sum();
    given_up.saturating_sub(known)
}

fn is_unknown_order(row: &ErrorRow) -> bool {
    (row.interaction.as_str(), row.class.as_str()) == UNKNOWN_ORDER
}

/// A time in s that ended at an even moment of a second, laid over that second, the one before it, and so on: how much of it
/// passed in each, in the mean.
fn laid(took: f64) -> impl Iterator<Item = f64> {
    let mut rest = took;
    (0..).map_while(move |back| {
        let earlier = before(took - f64::from(back));
        let passed = rest - earlier;
        rest = earlier;
        (passed > 0.0).then_some(passed)
    })
}

/// How much of a time in s that ends at an even moment of a second passes before that second, in the mean.
fn before(took: f64) -> f64 {
    match took {
        none if none <= 0.0 => 0.0,
        short if short < 1.0 => short * short / 2.0,
        long => long - 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn a_time_is_laid_over_the_seconds_in_which_it_passed() {
        let parts: Vec<f64> = laid(2.5).collect();
        assert_eq!(parts, [0.5, 1.0, 0.875, 0.125]);
        assert_eq!(laid(0.5).collect::<Vec<_>>(), [0.375, 0.125]);
        assert_eq!(laid(0.0).count(), 0);
        let mut inside = Inside::new(2);
        inside.add(1, "home", &[(5 * SECOND_US, 2)]);
        inside.add(1, TAG_LATE, &[(1, 2)]);
        inside.add(2, "home", &[(SECOND_US, 1)]);
        let by_latency: Vec<f64> = inside.seconds(&[]).iter().map(|second| second.by_latency).collect();
        assert_eq!(by_latency, [2.0, 1.0], "what lies before the load or after it is left out");
    }

    /// A hundred pages a second, each a tenth of a second long, asked for so many µs after they were due.
    fn steady(late_us: u64) -> Inside {
        let mut inside = Inside::new(10);
        for second in 0..10 {
            let ended = if second == 0 { 90 } else { 100 };
            inside.add(second, TAG_LATE, &[(late_us, 100)]);
            inside.add(second, "home", &[(100_000 + late_us, ended)]);
            inside.add(second, TAG_SERVICE, &[(100_000, ended)]);
            inside.add(second, TAG_READ, &[(50_000, 2 * ended)]);
            inside.add(second, TAG_ERROR, &[(50_000, 7)]);
        }
        inside
    }

    #[test]
    fn both_ways_agree_where_every_page_is_asked_for_when_it_is_due() {
        let seconds = steady(1).seconds(&[]);
        assert_eq!(seconds.len(), 10);
        for found in &seconds[1..9] {
            assert_eq!(found.counted, 10.0);
            assert!((found.by_latency - 10.0).abs() < 0.01, "{found:?}");
            assert!((found.by_service - 10.0).abs() < 0.01, "{found:?}");
        }
    }

    #[test]
    fn a_queue_in_the_generator_is_the_gap_between_them() {
        let found = steady(SECOND_US).seconds(&[])[5];
        assert_eq!(found.counted, 10.0);
        assert!((found.by_latency - 110.0).abs() < 0.01, "a hundred were due and not asked for: {found:?}");
        assert!((found.by_service - 10.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn an_order_of_unknown_outcome_is_no_longer_inside() {
        let row = |interaction: &str, class: &str, count| ErrorRow {
            second: 3,
            interaction: interaction.to_owned(),
            class: class.to_owned(),
            count,
        };
        let errors = [
            row("buy_confirm", "unknown_commit", 4),
            row("shopping_cart", "unknown_commit", 2),
            row("buy_confirm", "lost", 3),
        ];
        let counted: Vec<f64> = steady(1).seconds(&errors).iter().map(|second| second.counted).collect();
        assert_eq!(counted[2..6], [10.0, 8.0, 6.0, 6.0], "the others ask again");
        assert_eq!((left_inside(&errors, 4), left_inside(&errors, 6), left_inside(&[], 0)), (0, 2, 0));
    }

    #[test]
    fn nothing_is_told_where_it_was_not_recorded_when_pages_were_asked_for() {
        let mut inside = Inside::new(5);
        inside.add(2, "home", &[(1_000, 7)]);
        assert_eq!(inside.seconds(&[]), []);
        assert_eq!(Inside::default().seconds(&[]), []);
    }
}
