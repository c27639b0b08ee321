//! A small client of chromedriver: the WebDriver protocol is JSON over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::live::PATIENCE;

/// Says that Chromium must be there; without it, tests that need one are left out where it is not.
const REQUIRED: &str = "DDF_TEST_BROWSER";

/// Chromium with its driver, and one window.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

fn found(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).flat_map(|d| names.iter().map(move |n| d.join(n)));
    all.find(|p| p.is_file())
}

impl Browser {
    /// Starts it. `None` where no Chromium is installed and none is required.
    pub fn start() -> Option<Browser> {
        let binary = found(&["chromium", "chromium-browser", "google-chrome"]);
        let (Some(binary), Some(driver)) = (binary, found(&["chromedriver"])) else {
            assert!(
                std::env::var_os(REQUIRED).is_none(),
                "{REQUIRED} is set, but chromium or chromedriver is missing"
            );
            eprintln!(
                "left out: chromium and chromedriver are not installed (set {REQUIRED} to require them)"
            );
            return None;
        };
        let mut driver = Command::new(driver);
        driver
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = driver.spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|l| {
            let (_, port) = l.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port = port.expect("chromedriver names its port");
        std::thread::spawn(move || lines.for_each(drop));
        let profile = TempDir::new().unwrap();
        let mut browser = Browser {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        browser.open_session(&binary);
        Some(browser)
    }

    fn open_session(&mut self, binary: &Path) {
        let folder = format!("--user-data-dir={}", self._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1400,1000",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": binary, "args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let answer = self.call("POST", "/session", &wanted);
        self.session = answer["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_string();
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        let mut s = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        s.set_read_timeout(Some(PATIENCE)).unwrap();
        s.write_all((head + &body).as_bytes()).unwrap();
        let mut reader = BufReader::new(s);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(n) = line.strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        answer["value"].clone()
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.call(method, &format!("/session/{}{path}", self.session), body);
        assert!(value.get("error").is_none(), "{path}: {value}");
        value
    }

    fn devtools(&self, command: &str, params: &Value) -> Value {
        self.ask(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": params}),
        )
    }

    /// Opens an address.
    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({"url": url}));
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The text of an element.
    pub fn text(&self, selector: &str) -> String {
        let quoted = json!(selector);
        let value = self.run(&format!(
            "return document.querySelector({quoted})?.textContent ?? ''"
        ));
        value.as_str().unwrap().to_string()
    }

    /// Waits until a script returns true.
    #[track_caller]
    pub fn wait(&self, what: &str) {
        let begun = Instant::now();
        while self.run(&format!("return !!({what})")) != true {
            assert!(begun.elapsed() < PATIENCE, "never: {what}\n{}", self.text("body"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The protocol's name of an element.
    fn element(&self, selector: &str) -> String {
        let found = self.ask(
            "POST",
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let name = found.as_object().unwrap().values().next().unwrap();
        name.as_str().unwrap().to_string()
    }

    /// Clicks an element, as a person does.
    pub fn click(&self, selector: &str) {
        let id = self.element(selector);
        self.ask("POST", &format!("/element/{id}/click"), &json!({}));
    }

    /// Types into an element.
    pub fn keys(&self, selector: &str, text: &str) {
        let id = self.element(selector);
        self.ask("POST", &format!("/element/{id}/value"), &json!({"text": text}));
    }

    /// Light or dark.
    pub fn scheme(&self, name: &str) {
        let feature = json!([{"name": "prefers-color-scheme", "value": name}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": feature}));
    }

    /// The size of the window.
    pub fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Takes a picture of the whole page, for people to look at.
    pub fn picture(&self, name: &str) -> PathBuf {
        let value = self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, base64(value["data"].as_str().unwrap())).unwrap();
        path
    }

    /// What the console said since it was asked last, errors and warnings alike.
    pub fn console(&self) -> Vec<String> {
        let all = self.ask("POST", "/se/log", &json!({"type": "browser"}));
        all.as_array()
            .unwrap()
            .iter()
            .map(|e| format!("{} {}", e["level"], e["message"]))
            .collect()
    }

    /// Closes the window.
    pub fn close(&self) {
        // with the last window the session ends
        self.ask("POST", "/window/new", &json!({"type": "tab"}));
        self.ask("DELETE", "/window", &Value::Null);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // also after a failure, and then without another: or else Chromium would stay
        if let Ok(mut s) = TcpStream::connect(("127.0.0.1", self.port)) {
            let path = format!("/session/{}", self.session);
            let head = format!("DELETE {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let _ = s.set_read_timeout(Some(Duration::from_secs(10)));
            let _ = s
                .write_all(head.as_bytes())
                .and_then(|()| s.read_to_end(&mut Vec::new()));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut have) = (0u32, 0);
    for c in text.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        (bits, have) = (bits << 6 | u32::from(six), have + 6);
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
            bits &= (1 << have) - 1;
        }
    }
    out
}
