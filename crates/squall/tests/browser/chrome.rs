//! A browser of the test's own: started, bounded in all it does, and gone afterwards, however the test ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{CapabilitiesHelper, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};
use tokio::time::timeout;

/// Far longer than anything here takes, so that a hang is a failure and a slow machine is not.
const PATIENCE: Duration = Duration::from_secs(120);

/// A headless browser and its driver.
pub struct Chrome {
    // Dropped in this order: the session, then the processes, then their folder.
    driver: WebDriver,
    processes: Processes,
}

/// What must not outlive the test.
struct Processes {
    driver: Child,
    url: String,
    profile: TempDir,
}

impl Drop for Processes {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Browsers whose driver was killed live on: they are known by the profile, which is the test's alone.
        let profile = self.profile.path().display().to_string();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if let Some(pid) = pid
                && String::from_utf8_lossy(&command).contains(&profile)
            {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

/// Where a program is.
fn program(names: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "none of {} is in PATH; this test looks at the report in a real browser: \
             install chromium and chromedriver (Debian: apt install chromium chromium-driver)",
            names.join(", ")
        )
    })
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} does not end"))
}

impl Chrome {
    /// Starts a browser.
    pub async fn start() -> Self {
        let browser = program(&["chromium", "chromium-browser", "google-chrome"]);
        let processes = Processes::start();
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(&browser.display().to_string()).unwrap();
        let profile = format!("--user-data-dir={}", processes.profile.path().display());
        // Without a sandbox, since tests run as root in containers; the page is our own.
        for arg in [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            &profile,
        ] {
            wanted.add_arg(arg).unwrap();
        }
        wanted
            .set("goog:loggingPrefs", json!({ "performance": "ALL" }))
            .unwrap();
        let driver = within("starting the browser", WebDriver::new(&processes.url, wanted))
            .await
            .unwrap();
        Self { driver, processes }
    }

    /// From now on the window is this large, and its reader likes this scheme.
    pub async fn look(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        for (command, with) in [
            ("Emulation.setDeviceMetricsOverride", size),
            ("Emulation.setEmulatedMedia", media),
        ] {
            within(command, self.driver.cdp().send_raw(command, with))
                .await
                .unwrap();
        }
    }

    /// Opens a page and waits until it is loaded; what was asked for before is forgotten.
    pub async fn open(&self, url: &str) {
        within("leaving the page", self.driver.goto("about:blank"))
            .await
            .unwrap();
        self.asked_for().await;
        within("opening the page", self.driver.goto(url)).await.unwrap();
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Value {
        let result = within("a script", self.driver.execute(script, vec![])).await.unwrap();
        result.json().clone()
    }

    /// Everything the page asked for since this was last called.
    pub async fn asked_for(&self) -> Vec<String> {
        let url = format!("{}/session/{}/se/log", self.processes.url, self.driver.session_id());
        let ask = reqwest::Client::new()
            .post(url)
            .json(&json!({ "type": "performance" }))
            .send();
        let log: Value = within("the log", async { ask.await.unwrap().json().await.unwrap() }).await;
        let entries = log["value"].as_array().expect("a log").clone();
        let messages = entries.iter().map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            message["message"].clone()
        });
        messages
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Ends it politely; a test that fails ends it otherwise.
    pub async fn end(self) {
        within("ending the browser", self.driver.quit()).await.unwrap();
    }
}

impl Processes {
    /// Starts the driver on a port of its own choice.
    fn start() -> Self {
        let mut driver = Command::new(program(&["chromedriver"]))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let mut processes = Self {
            driver,
            url: String::new(),
            profile: tempfile::tempdir().unwrap(),
        };
        let (sender, ports) = mpsc::channel();
        // Reads on to the end, so that the driver never waits for a reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let port = line.strip_suffix('.').and_then(|line| line.rsplit_once("on port "));
                if let Some(port) = port.and_then(|(_, port)| port.parse::<u16>().ok()) {
                    // Only the first is waited for.
                    let _ = sender.send(port);
                }
            }
        });
        let port = ports.recv_timeout(PATIENCE).expect("chromedriver names no port");
        processes.url = format!("http://127.0.0.1:{port}");
        processes
    }
}
