//! The dashboard in a terminal that `script` of util-linux makes.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use clapp_testing::{assert_same, assert_says, files, names, skip};

const CLAPP: &str = env!("CARGO_BIN_EXE_clapp");

/// Forty steps of two seeds, with looks.
const SHORT: &str = "train -p smoke -s 2,3 --probe-every 40 --set batch=8 --set images=160 \
    --set data.unlabelled=64 --set data.train=60 --set data.test=30 --set readout.protocols=[\"knn\"] \
    --set readout.few=2 --set readout.few_draws=2";

/// So many images that it does not end by itself.
const LONG: &str = "train -p smoke --set images=64000000 -o run --tui";

const ENTERED: &str = "\x1b[?1049h";
const LEFT: &str = "\x1b[?1049l";

/// A folder and a terminal of so many columns and rows.
struct Terminal {
    root: tempfile::TempDir,
    size: (u16, u16),
}

/// What came of a program in it.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Terminal {
    /// One, or a skip.
    fn new(size: (u16, u16)) -> Option<Self> {
        let version = Command::new("script").arg("--version").output();
        if !version.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("util-linux")) {
            skip("no script of util-linux is installed");
            return None;
        }
        Some(Self { root: tempfile::tempdir().unwrap(), size })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start(&self, arguments: &str, environment: &[(&str, &str)]) -> Child {
        let (columns, rows) = self.size;
        let quoted = arguments.replace('"', "\\\"");
        let line = format!(
            "stty cols {columns} rows {rows}; stty -g > before; {CLAPP} {quoted}; code=$?; \
             stty -g > after; exit $code"
        );
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(self.root.path());
        script.env("SHELL", "/bin/sh").env("TERM", "xterm-256color").env_remove("NO_COLOR");
        script.envs(environment.iter().copied());
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for the end, after which the terminal has the modes that it had.
    #[track_caller]
    fn end(&self, child: Child) -> Ended {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
        let modes = ["before", "after"].map(|name| fs::read_to_string(self.path(name)).unwrap());
        assert_eq!(modes[0], modes[1], "{said}");
        Ended { code: output.status.code(), said }
    }

    /// Waits until the run has more rows of metrics than these.
    fn wait(&self, before: usize) {
        let begun = Instant::now();
        while self.rows() <= before {
            assert!(begun.elapsed() < Duration::from_secs(120), "it does not go on");
            sleep(Duration::from_millis(5));
        }
    }

    fn rows(&self) -> usize {
        let metrics = fs::read_to_string(self.path("run/metrics.jsonl"));
        metrics.map_or(0, |text| text.matches('\n').count())
    }
}

impl Ended {
    /// What stands on the normal screen after the dashboard, which was there once.
    #[track_caller]
    fn afterwards(&self) -> &str {
        let parts: Vec<&str> = self.said.split(LEFT).collect();
        assert!(parts.len() == 2 && parts[0].matches(ENTERED).count() == 1, "{:?}", self.said);
        assert!(parts[1].starts_with("\x1b[?25h"), "the cursor is not shown: {:?}", parts[1]);
        parts[1]
    }
}

fn press(child: &mut Child, key: &[u8]) {
    child.stdin.as_mut().unwrap().write_all(key).unwrap();
}

/// Calls the program without a terminal.
fn plain(folder: &Path, arguments: &str) -> Ended {
    let mut command = Command::new(CLAPP);
    let output = command.args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    Ended { code: output.status.code(), said }
}

#[test]
fn a_run_with_a_dashboard_leaves_the_same_files_and_table() {
    let Some(terminal) = Terminal::new((80, 24)) else { return };
    let shown = terminal.end(terminal.start(&format!("{SHORT} -o run --tui"), &[]));
    let expected = plain(terminal.root.path(), &format!("{SHORT} -q -o plain"));
    assert_eq!((shown.code, expected.code), (Some(0), Some(0)), "{}", shown.said);
    assert!(shown.afterwards().ends_with(&expected.said), "{:?}", shown.afterwards());
    assert_same(&files(&terminal.path("run")), &files(&terminal.path("plain")), "--tui");
    let [before, dashboard] = shown.said.split(ENTERED).collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(before, "run folder: run\n");
    assert!(dashboard.contains("\x1b[38;5;"), "no colours: {dashboard:?}");
}

#[test]
fn q_and_ctrl_c_stop_a_run_that_can_go_on() {
    let Some(terminal) = Terminal::new((40, 10)) else { return };
    let mut step = 0;
    for (arguments, key) in [(LONG, b"q"), ("resume run --tui", b"\x03")] {
        let mut child = terminal.start(arguments, &[("NO_COLOR", "1")]);
        terminal.wait(terminal.rows());
        press(&mut child, key);
        let ended = terminal.end(child);
        assert_eq!(ended.code, Some(130), "{}", ended.said);
        let said = ended.afterwards();
        let [_, said] = said.split("stopped at step ").collect::<Vec<_>>()[..] else {
            panic!("{said:?}")
        };
        let (stopped, advice) = said.split_once("; ").unwrap();
        assert_eq!(advice, "go on with: clapp resume run\n");
        let stopped: u64 = stopped.parse().unwrap();
        assert!(stopped > step, "from {step} to {stopped}");
        step = stopped;
        assert!(!ended.said.contains("\x1b[38;5;"), "colours: {:?}", ended.said);
        assert!(!names(&terminal.path("run/checkpoints")).is_empty());
    }
}

#[test]
fn a_signal_and_an_error_leave_the_terminal_as_it_was() {
    let Some(terminal) = Terminal::new((80, 24)) else { return };
    let child = terminal.start(LONG, &[]);
    terminal.wait(0);
    let lock = fs::read_to_string(terminal.path("run/.lock")).unwrap();
    let clapp = lock.trim().trim_start_matches("process ");
    assert!(Command::new("kill").args(["-TERM", clapp]).status().unwrap().success());
    let ended = terminal.end(child);
    assert_eq!(ended.code, Some(143), "{}", ended.said);
    assert!(ended.afterwards().contains("go on with: clapp resume run"), "{}", ended.said);

    let astray = format!("{SHORT} --set optimizer.rate=1e30 -o astray --tui");
    let ended = terminal.end(terminal.start(&astray, &[]));
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.afterwards().contains("error: "), "{}", ended.said);
}

#[test]
fn without_a_terminal_that_can_show_it_nothing_is_written() {
    let root = tempfile::tempdir().unwrap();
    let refused = plain(root.path(), &format!("{SHORT} -o run --tui"));
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    assert_says(&refused.said, "error: --tui: expected a terminal", "none at standard error");
    assert_eq!(names(root.path()), [""; 0]);

    let both = plain(root.path(), &format!("{SHORT} -o run --tui --quiet"));
    assert_eq!(both.code, Some(2), "{}", both.said);

    for (size, name, found) in [((39, 24), "xterm", "39 × 24"), ((80, 24), "dumb", "TERM=dumb")] {
        let Some(terminal) = Terminal::new(size) else { return };
        let ended = terminal.end(terminal.start("train -o run --tui", &[("TERM", name)]));
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains(found), "{}", ended.said);
        assert_eq!(names(terminal.root.path()), ["after", "before"]);
    }
}
