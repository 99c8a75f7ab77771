//! Bad input: each kind with its exit code and a message that says what is wrong and what is allowed.

mod common;

use common::{Place, said};

const SMALL: &str =
    "description = 'x'\n[load]\nsessions = 2\n[[load.phase]]\nname = 'a'\nkind = 'measure'\nseconds = 1\n";

#[test]
fn a_wrong_command_line_or_file_ends_with_2_and_says_what_is_allowed() {
    let place = Place::new();
    place.write("misspelt.toml", &SMALL.replace("sessions", "sesions"));
    place.write("senseless.toml", &SMALL.replace("seconds = 1", "seconds = 0"));
    place.write("balancer.toml", "listen = '127.0.0.1:0'\nnodez = []\n");
    let table: [(&[&str], &[&str]); 15] = [
        (&["run", "elastik"], &["no workload `elastik`", "elastic, smoke"]),
        (&["run", "misspelt.toml"], &["misspelt.toml", "line 3, column 1", "sesions", "sessions"]),
        (&["run", "senseless.toml"], &["senseless.toml:7:1", "seconds = 0", "1 or more"]),
        (&["run", "--sessions", "0"], &["--sessions 0", "1 to 100000"]),
        (&["run", "--sessions", "many"], &["--sessions", "many"]),
        (&["run", "--mix", "selling"], &["selling", "browsing", "ordering"]),
        (&["run", "--think-time", "soon"], &["--think-time", "soon", "250ms"]),
        (&["run", "--target", "db.example"], &["--target", "mysql://user:password@host:port/database"]),
        (&["load", "--target", "mysql://u:p@127.0.0.1:1/d", "--items", "0"], &["--items 0", "1 to 10000000"]),
        (&["balance", "--config", "balancer.toml"], &["balancer.toml", "nodez", "line 2"]),
        (&["report", "nowhere"], &["nowhere"]),
        (&["compare", "nowhere", "."], &["nowhere", "neither a run folder nor"]),
        (&["compare", ".", ".", "--smallest-effect", "0"], &["--smallest-effect 0", "0.1 to 100"]),
        (&["history", "nowhere"], &["nowhere", "no run folders"]),
        (&["cluster", "--name", "a/b", "status"], &["a/b", "letters"]),
    ];
    for (words, expected) in table {
        let (code, text) = said(&place.run(words));
        assert_eq!(code, Some(2), "{words:?}: {text}");
        for part in expected {
            assert!(text.contains(part), "{words:?} does not say {part:?}: {text}");
        }
    }
    assert!(!place.path().join("reports").exists(), "a refused run leaves no folder");
}

#[test]
fn surroundings_that_fail_end_with_3_and_say_what_to_do() {
    let place = Place::new();
    place.write("file", "in the way");
    let nobody = "mysql://shop:topsecret@127.0.0.1:1/tpcw";
    let table: [(&[&str], &[&str]); 5] = [
        (&["run", "smoke", "--target", nobody], &["127.0.0.1:1"]),
        (&["load", "--target", nobody, "--quiet"], &["127.0.0.1:1"]),
        (&["check", "--target", nobody], &["127.0.0.1:1"]),
        (&["run", "smoke", "--out", "file/inside"], &["file/inside"]),
        (&["cluster", "--name", "nobody-made-this", "status"], &["tpcw cluster up"]),
    ];
    for (words, expected) in table {
        let (code, text) = said(&place.run(words));
        assert_eq!(code, Some(3), "{words:?}: {text}");
        for part in expected {
            assert!(text.contains(part), "{words:?} does not say {part:?}: {text}");
        }
        assert!(!text.contains("topsecret"), "{words:?} shows the password: {text}");
    }
}

#[test]
fn without_a_server_program_and_offline_the_command_to_type_is_named() {
    let place = Place::new();
    let missing = place.path().join("missing").display().to_string();
    let (code, text) = said(&place.run(&["run", "smoke", "--offline", "--server-binary", &missing]));
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("missing"), "{text}");
}

#[test]
fn completions_and_help_are_printed() {
    let place = Place::new();
    for words in [&["completions", "bash"][..], &["--help"], &["run", "--help"], &["cluster", "--help"]] {
        let (code, text) = said(&place.run(words));
        assert_eq!(code, Some(0), "{words:?}");
        assert!(text.contains("tpcw"), "{words:?}: {text}");
    }
}
