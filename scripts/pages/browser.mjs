// What a person does with the pages, in Chromium: node browser.mjs URL FOLDER CHROMIUM JOB MODULES
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [url, folder, executablePath, job, modules] = process.argv.slice(2);
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");
const pages = {
  now: "/", tasks: "/tasks", task: "/tasks/mart.mart.board", failed: "/tasks/erp.staging.rate",
  rendered: "/tasks/mart.mart.revenue/sql", jobs: "/jobs", job: `/jobs/${job}`,
  events: "/events", "lineage-start": "/lineage", lineage: "/lineage/mart.mart.revenue_eur",
  catalogue: "/catalogue", table: "/catalogue/mart.mart.revenue", missing: "/tasks/no.such.task",
};
const faults = [];
const check = (what, holds) => { if (!holds) faults.push(what); };
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

for (const [size, viewport] of Object.entries({ wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } })) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport, colorScheme, bypassCSP: true });
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(url + path);
      await page.screenshot({ path: `${folder}/${name}-${size}-${colorScheme}.png`, fullPage: true });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(`${path} is ${wider} pixels wider than a ${size}`, wider <= 0);
      await page.addScriptTag({ content: axe });
      const found = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
      for (const one of found.violations) {
        faults.push(`${path} (${size}, ${colorScheme}): ${one.id}: ${one.help}: ${one.nodes[0].html.slice(0, 160)}`);
      }
    }
    await context.close();
  }
}

// With the policy that the server sends: a search as it is typed, a copy, a walk, and live parts.
const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
const page = await context.newPage();
page.on("console", (said) => { if (said.type() === "error") faults.push(`${page.url()}: ${said.text()}`); });
await page.goto(`${url}/tasks`);
await page.getByRole("searchbox").pressSequentially("rate");
await page.waitForURL("**/tasks?q=rate*");
await page.waitForFunction(() => document.querySelectorAll("#found tbody tr").length === 1);
await page.getByRole("link", { name: "erp.staging.rate" }).click();
check("a failed task says why", (await page.locator(".notice.bad").innerText()).includes("division by zero"));
await page.goto(`${url}/jobs/${job}`);
await page.getByRole("button", { name: "Copy" }).first().click();
check("an error is copied", (await page.evaluate(() => navigator.clipboard.readText())).includes("division by zero"));
await page.goto(`${url}/lineage/mart.mart.revenue_eur`);
check("what is wrong above is said", (await page.locator("main").innerText()).includes("staging.rate"));
await page.goto(`${url}/tasks/mart.mart.board`);
check("a hostile description does nothing", (await page.title()).startsWith("mart.mart.board"));
await page.keyboard.press("Tab");
check("the keyboard begins at the skip link", (await page.evaluate(() => document.activeElement.className)) === "skip");
await page.goto(`${url}/`);
const live = await page.waitForResponse((answer) => answer.url().endsWith("/live"), { timeout: 10000 }).catch(() => null);
check("parts are live", live === null || live.headers()["content-type"].startsWith("text/event-stream"));
await page.pdf({ path: `${folder}/now.pdf` });
await page.goto(`${url}/tasks/mart.mart.revenue`);
await page.emulateMedia({ media: "print" });
await page.screenshot({ path: `${folder}/task-print.png`, fullPage: true });
await context.close();

const still = await browser.newContext({ javaScriptEnabled: false });
const plain = await still.newPage();
await plain.goto(`${url}/tasks`);
await plain.getByRole("searchbox").fill("rate");
await plain.getByRole("button", { name: "Search" }).click();
check("a search works without scripts", (await plain.locator("#found tbody tr").count()) === 1);
await browser.close();
console.log(faults.length ? [...new Set(faults)].join("\n") : "the pages are as they must be");
process.exit(faults.length ? 1 : 0);
