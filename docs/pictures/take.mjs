// Runs the demo in tmux, keeps what its screen shows in the middle of the first fault, and photographs that and the report.
// Called by `take`: take.mjs BRUNT FOLDER.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [brunt, folder] = process.argv.slice(2);
const modules = process.env.NODE_MODULES;
const { chromium } = createRequire(join(modules, "x.js"))("playwright-core");

const COLUMNS = 110;
const ROWS = 34;
const work = mkdtempSync(join(tmpdir(), "brunt-pictures-"));
const socket = join(work, "tmux");
const tmux = (...words) => execFileSync("tmux", ["-S", socket, ...words], { encoding: "utf8" });
const shown = (...words) => tmux("capture-pane", "-p", "-t", "demo", ...words);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks until `what` says yes; the demo is over after two minutes, whatever happens. */
async function until(what, seconds = 120) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(100)) {
        if (what()) return;
    }
    throw new Error(`did not come within ${seconds} s; on the screen:\n${shown()}`);
}

async function demo() {
    // A person's terminal, whatever this script was started from: colours, UTF-8, no CI.
    const env = "env -u CI -u NO_COLOR LANG=C.UTF-8 LC_ALL=C.UTF-8 TERM=tmux-256color";
    const command = `${env} ${brunt} demo --out ${join(work, "results")}; echo over; sleep 30`;
    tmux("new-session", "-d", "-s", "demo", "-x", String(COLUMNS), "-y", String(ROWS), command);
    await until(() => /FAULT +slow-payment/.test(shown()));
    // Far enough into the fault that it shows in the plot, and before its end: it lasts six seconds.
    await pause(4500);
    const screen = shown("-e");
    if (!/FAULT +slow-payment/.test(shown())) throw new Error("the fault was over before the picture was taken");
    const report = findReport;
    await until(() => report() !== undefined && /over/.test(shown()));
    return { screen, report: report() };
}

/** The first half's: the one with something to see. */
function findReport() {
    const path = join(work, "results", "naive", "report.html");
    return existsSync(path) ? path : undefined;
}

async function photographTerminal(browser, screen, to) {
    const page = await browser.newPage({ deviceScaleFactor: 2 });
    await page.setContent('<body style="margin:0;background:#16181d"><div id="t" style="padding:12px;display:inline-block"></div>');
    await page.addStyleTag({ path: join(modules, "@xterm/xterm/css/xterm.css") });
    await page.addScriptTag({ path: join(modules, "@xterm/xterm/lib/xterm.js") });
    await page.evaluate(
        ({ screen, columns, rows }) => new Promise((resolve) => {
            const theme = { background: "#16181d", foreground: "#d5d8de", cursor: "#16181d" };
            const font = { fontFamily: "DejaVu Sans Mono, monospace", fontSize: 13 };
            const terminal = new Terminal({ cols: columns, rows, theme, ...font, scrollback: 0 });
            terminal.open(document.getElementById("t"));
            terminal.write(screen, () => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        }),
        { screen: screen.trimEnd().replaceAll("\n", "\r\n"), columns: COLUMNS, rows: ROWS },
    );
    await page.locator("#t").screenshot({ path: to });
    await page.close();
}

async function photographReport(browser, report, to) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1500 } });
    await page.goto(`file://${report}`);
    await page.screenshot({ path: to });
    await page.close();
}

const { screen, report } = await demo().finally(() => {
    try { tmux("kill-server"); } catch { /* it has ended by itself */ }
});
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
    await photographTerminal(browser, screen, join(folder, "screen.png"));
    await photographReport(browser, report, join(folder, "report.png"));
} finally {
    await browser.close();
    rmSync(work, { recursive: true, force: true });
}
for (const name of ["screen.png", "report.png"]) {
    console.log(`${join(folder, name)}: ${Math.round(readFileSync(join(folder, name)).length / 1024)} KiB`);
}
