//! Numbers as they stand in files: at most three decimals, which is a microsecond where the unit is a millisecond.

use serde::{Serialize, Serializer};

/// Rounds to three decimals; what is not a number becomes 0, so that no reader stumbles over it.
pub fn round3(value: f64) -> f64 {
    if value.is_finite() { (value * 1000.0).round() / 1000.0 } else { 0.0 }
}

/// For `serialize_with`: see [`round3`].
pub(crate) fn rounded<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(round3(*value))
}

/// For `serialize_with` on optional numbers: see [`round3`].
pub(crate) fn rounded_option<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    value.map(round3).serialize(to)
}
