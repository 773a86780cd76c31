//! What the README shows of the firmware stands in the firmware.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The lines of a text without their indentation.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

fn contains(source: &str, excerpt: &str) -> bool {
    let (source, excerpt) = (lines(source), lines(excerpt));
    source.windows(excerpt.len()).any(|window| window == excerpt)
}

#[test]
fn the_code_in_the_readme_is_the_firmwares_own() {
    let readme = read("README.md");
    let sources =
        ["phone/src/main.rs", "phone/src/phone.rs", "Cargo.toml"].map(|name| read(&format!("firmware/{name}")));
    let excerpts = readme.split("```text\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let mut seen = 0;
    for (excerpt, _) in excerpts {
        assert!(sources.iter().any(|source| contains(source, excerpt)), "not in the firmware:\n{excerpt}");
        seen += 1;
    }
    assert_eq!(seen, 11);
    assert!(!contains(&sources[0], "type Agent = UserAgent<Arrays<16, 4, 2, 1, 4096>>;"));
}
