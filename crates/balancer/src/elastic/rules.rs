//! Single reasons to scale. Each looks at one thing and says nothing of when: that is the controller's business.

use super::window::Average;
use crate::config::Elastic;

/// Too few nodes serve, those on their way included.
pub fn too_few(serving: usize, coming: usize, settings: &Elastic) -> Option<String> {
    (serving + coming < settings.floor)
        .then(|| format!("{serving} nodes serve and {coming} come, {} at least must", settings.floor))
}

/// Reads take too long.
pub fn too_slow(average: &Average, settings: &Elastic) -> Option<String> {
    let mean = average.mean_ms.filter(|mean| *mean > settings.out_above_ms)?;
    Some(format!("read latency {mean:.1} ms above {} ms", settings.out_above_ms))
}

/// There is little to do: reads are fast, or there are none. `in_flight` statements that nobody has seen the end of may
/// be the slowest of all, so no reads with statements under way is not idleness.
pub fn idle(average: &Average, in_flight: u64, settings: &Elastic) -> Option<String> {
    match average.mean_ms {
        Some(mean) if mean < settings.in_below_ms => {
            Some(format!("read latency {mean:.1} ms below {} ms", settings.in_below_ms))
        }
        None if in_flight == 0 => Some("no reads".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(mean_ms: Option<f64>) -> Average {
        Average { reads: 1, mean_ms, filled: 1.0 }
    }

    #[test]
    fn limits_themselves_are_still_good() {
        let settings = Elastic::default();
        for (mean, slow, idle_) in [
            (None, false, true),
            (Some(49.9), false, true),
            (Some(50.0), false, false),
            (Some(400.0), false, false),
            (Some(400.1), true, false),
        ] {
            assert_eq!(too_slow(&average(mean), &settings).is_some(), slow, "{mean:?}");
            assert_eq!(idle(&average(mean), 0, &settings).is_some(), idle_, "{mean:?}");
        }
        assert!(idle(&average(None), 3, &settings).is_none(), "statements hang");
        assert!(too_few(1, 0, &settings).is_some() && too_few(1, 1, &settings).is_none());
    }
}
