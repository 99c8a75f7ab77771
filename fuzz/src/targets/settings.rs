//! Small texts with a form of their own: positions, the configuration, variables that are carried over.

use balancer::config::Config;
use balancer::pool::image::Image;
use cluster::replication::gtid::GtidPosition;

/// The first byte chooses.
pub fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match first % 4 {
        0 => position(&text),
        1 if !asks_for_a_name(&text) => {
            if let Ok(config) = toml::from_str::<Config>(&text) {
                let _ = config.check();
            }
        }
        1 => (),
        _ => image(&text),
    }
}

/// Whether an address in the text may be a host's name: those are resolved when the text is read, and no input may ask the
/// network for one.
fn asks_for_a_name(text: &str) -> bool {
    let escaped = text.contains('\\') || text.contains("\"\"\"") || text.contains("'''");
    let named = |quoted: &str| {
        quoted
            .rsplit_once(':')
            .is_some_and(|(host, _)| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err())
    };
    escaped || text.split(['"', '\'']).any(named)
}

fn position(text: &str) {
    let Ok(position) = text.parse::<GtidPosition>() else { return };
    assert_eq!(position.to_string().parse(), Ok(position.clone()), "what is written can be read");
    let mut both = position.clone();
    both.advance(cluster::replication::gtid::Gtid { domain: 1, server: 1, sequence: 7 });
    assert!(both.covers(&position));
    let _ = position.behind(&both);
}

fn image(text: &str) {
    let mut image = Image::default();
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        image.set(name, value);
        assert!(value == "ON" && name == "autocommit" || image.get(name) == Some(value));
    }
    assert_eq!(image.set_to(&image), None);
    assert!(image.leads_to(&image) && Image::default().leads_to(&image));
}
