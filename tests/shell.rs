//! `ddf shell`: statements from a pipe, and a person at a terminal (a real pseudo-terminal).

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Folder, command, run_with_input};

const EMP: &str = "emp=tests/sql/data/emp.csv";

#[test]
fn statements_come_from_a_pipe() {
    let text = "SELECT count(*) AS n FROM emp;\nSELECT\n  max(id) AS m -- ;\nFROM emp;\nSELECT ';' AS t";
    let ran = run_with_input(["shell", "-t", EMP], text.as_bytes()).done();
    assert_eq!(ran.text(), "n\n10\nm\n10\nt\n;\n");
    assert_eq!(ran.err, "");
}

#[test]
fn errors_do_not_end_the_shell_but_are_its_status() {
    let text = "SELECT idd FROM emp;\n.moed csv\nSELECT 1 AS a;\nSELEC;\nSELECT 2 AS b;\n";
    let ran = run_with_input(["shell", "-t", EMP], text.as_bytes()).failed(1);
    assert_eq!(ran.text(), "a\n1\nb\n2\n");
    ran.says(&["did you mean id?", "did you mean .mode?"]);
}

#[test]
fn commands_and_views() {
    let folder = Folder::new();
    let file = folder.file("more.sql", "SELECT count(*) AS n FROM few;\n.mode csv\n");
    let text = format!(
        ".mode json\nCREATE TEMP VIEW few AS SELECT id, name FROM emp WHERE id < 3;\n.tables\nSELECT * FROM few;\n\
         .read {file}\nSELECT name FROM few;\n.schema few\n.table d tests/sql/data/dept.csv\n\
         SELECT count(*) AS n FROM d;\n.timer on\nSELECT 1 AS x;\n.quit\nSELECT 'never';\n"
    );
    let ran = run_with_input(["shell", "-t", EMP], text.as_bytes()).done();
    let json = "[{\"id\":1,\"name\":\"Ada\"},\n{\"id\":2,\"name\":\"Ben\"}]\n";
    let json = json.replace(['\n', ' '], "");
    let want = format!("emp\nfew\n{json}[{{\"n\":2}}]name\nAda\nBen\nid    int64\nname  text\nn\n5\nx\n1\n");
    let squeezed = |t: &str| t.replace([' ', '\n'], "");
    assert_eq!(squeezed(ran.text()), squeezed(&want), "{}", ran.text());
    ran.says(&["time 0."]);
    let ran = run_with_input(
        ["shell", "-t", EMP],
        b".help\n.read no/such.sql\n.schema nothing\n.read\n",
    )
    .failed(1);
    assert!(ran.text().contains(".timer on|off"), "{}", ran.text());
    ran.says(&["no/such.sql", "nothing", ".read takes a file"]);
}

#[test]
fn a_view_that_names_itself_is_an_error() {
    let text = "CREATE VIEW a AS SELECT 1 AS x;\nCREATE VIEW b AS SELECT * FROM a;\n\
                CREATE OR REPLACE VIEW a AS SELECT * FROM b;\nSELECT * FROM a;\nCREATE VIEW a AS SELECT 2;\n";
    let ran = run_with_input(["shell"], text.as_bytes()).failed(1);
    ran.says(&["may name itself", "there is a view \"a\" already"]);
}

/// A shell in a pseudo-terminal, made by `script` of util-linux, which gives a program one.
struct Typist {
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Typist {
    fn new(folder: &Folder, flags: &str) -> Option<Typist> {
        let c = command();
        let ddf = c.get_program().to_str().unwrap().to_string();
        let mut script = std::process::Command::new("script");
        script
            // a shell that stays between would be stopped by Ctrl-C as well
            .args(["-qefc", &format!("exec {ddf} shell {flags}"), "/dev/null"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("XDG_STATE_HOME", folder.path())
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match script.spawn() {
            Ok(child) => child,
            // a machine without the program cannot have this test
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
            Err(e) => panic!("{e}"),
        };
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut out, kept) = (child.stdout.take().unwrap(), seen.clone());
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut some) {
                kept.lock().unwrap().extend_from_slice(&some[..n]);
            }
        });
        Some(Typist { child, seen })
    }

    fn keys(&mut self, keys: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Waits until the screen shows a text, and forgets all up to there.
    #[track_caller]
    fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let mut seen = self.seen.lock().unwrap();
            let all = String::from_utf8_lossy(&seen).into_owned();
            if let Some(at) = all.find(text) {
                let rest = all.as_bytes()[at + text.len()..].to_vec();
                *seen = rest;
                return;
            }
            drop(seen);
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no {text:?} in {all:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn leave(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_person_types() {
    let folder = Folder::new();
    let Some(mut t) = Typist::new(&folder, &format!("-t {EMP} --progress never")) else {
        return;
    };
    t.wait_for("ddf> ");
    // several lines make one statement
    t.keys("SELECT count(*) AS persons\r");
    t.keys("FROM emp;\r");
    t.wait_for("persons");
    t.wait_for("10");
    t.wait_for("ddf> ");
    // an error, then on
    t.keys("SELECT nme FROM emp;\r");
    t.wait_for("did you mean name?");
    t.wait_for("ddf> ");
    // Tab completes a column of the table
    t.keys("SELECT min(sal\t) AS least FROM emp;");
    t.wait_for("least");
    t.keys("\x01");
    t.keys("\x05\r");
    t.wait_for("ddf> ");
    // Ctrl-C at the prompt clears the line
    t.keys("SELECT 'gone");
    t.wait_for("gone");
    t.keys("\x03");
    t.wait_for("ddf> ");
    // Ctrl-C stops a query that would run for ever, and the shell stays
    t.keys(
        "SELECT count(*) FROM emp a, emp b, emp c, emp d, emp e, emp f, emp g, emp h, emp i, emp j, emp k \
         WHERE a.id + b.id + c.id + d.id + e.id + f.id + g.id + h.id + i.id + j.id + k.id < 0;\r",
    );
    t.wait_for("< 0;");
    std::thread::sleep(Duration::from_millis(700));
    t.keys("\x03");
    t.wait_for("interrupted");
    t.wait_for("ddf> ");
    t.keys("SELECT 40 + 2 AS answer;\r");
    t.wait_for("42");
    t.wait_for("ddf> ");
    // Ctrl-D leaves
    t.keys("\x04");
    assert_eq!(t.leave(), Some(0));
    let history = std::fs::read_to_string(folder.path().join("ddf").join("history")).unwrap();
    assert!(history.contains("SELECT 40 + 2 AS answer;"), "{history}");
    // the next shell knows what was typed: the arrow up brings it back
    let mut t = Typist::new(&folder, "--progress never").unwrap();
    t.wait_for("ddf> ");
    t.keys("\x1b[A\r");
    t.wait_for("42");
    t.keys(".quit\r");
    assert_eq!(t.leave(), Some(0));
}
