//! A comparison as JUnit XML: a test case a figure, so that any CI shows which one has regressed.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{
    Change, Comparison,
    text::{change, interval},
};

/// The document. A regressed figure is a failure; a gate without a clear answer is an error; others without one are skipped.
pub fn junit(found: &Comparison) -> Result<String, String> {
    let mut suite = TestSuite::new("tpcw compare");
    for figure in &found.figures {
        let words = format!("{} ({})", change(figure), interval(figure));
        let mut status = match (figure.verdict, figure.gates) {
            (Change::Regressed, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            (Change::Inconclusive, true) => TestCaseStatus::non_success(NonSuccessKind::Error),
            (Change::Inconclusive, false) => TestCaseStatus::skipped(),
            (Change::Improved | Change::Unchanged, _) => TestCaseStatus::success(),
        };
        if !matches!(status, TestCaseStatus::Success { .. }) {
            status.set_message(format!("{}: {words}", figure.verdict.name()));
        }
        let mut case = TestCase::new(figure.name.as_str(), status);
        case.set_classname("tpcw");
        suite.add_test_case(case);
    }
    let mut report = Report::new("tpcw");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| error.to_string())
}
