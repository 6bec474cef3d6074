// Each page wide and on a phone, light and dark, and on paper: a picture, and what axe-core finds.
import { readFileSync } from "node:fs";

const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

export async function look({ url, browser, check, faults, logged_in, shots, modules, job, short_jobs }) {
  const axe = readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");
  const pages = {
    now: "/", tasks: "/tasks", "tasks-failed": "/tasks?state=failed",
    task: "/tasks/erp.staging.invoice", "task-failed": "/tasks/erp.staging.rate",
    "task-faulty": "/tasks/web.staging.session", "task-rejected": "/tasks/erp.staging.product",
    "task-hostile": "/tasks/mart.mart.board", rendered: "/tasks/erp.staging.invoice/sql",
    jobs: "/jobs", "jobs-failed": "/jobs?status=failed", job: `/jobs/${job}`,
    "job-failed": `/jobs/${short_jobs.failed}`, "job-cancelled": `/jobs/${short_jobs.cancelled}`,
    "route-paused": "/tasks?q=route:crm", "task-route-paused": "/tasks/crm.staging.deal", events: "/events",
    "lineage-start": "/lineage", lineage: "/lineage/mart.mart.revenue_eur",
    "lineage-large": "/lineage/mart.mart.position", catalogue: "/catalogue",
    table: "/catalogue/erp.staging.product", confirm: "/actions/clear-watermark?task=erp.staging.invoice&next=/",
    blacklist: "/actions/blacklist?task=erp.staging.invoice&next=/",
    bulk: "/actions/retry?status=failed&since=7+days&next=/jobs", missing: "/tasks/no.such.task", described: "/docs",
  };
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      const options = { viewport, colorScheme, bypassCSP: true };
      const examine = async (page, name) => {
        await page.screenshot({ path: `${shots}/${name}-${size}-${colorScheme}.png`, fullPage: true });
        for (const width of size === "phone" ? [320, viewport.width] : [viewport.width]) {
          await page.setViewportSize({ ...viewport, width });
          const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          check(`${name} is ${wider} pixels wider than ${width}`, wider <= 0);
        }
        await page.addScriptTag({ content: axe });
        const found = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
        for (const one of found.violations) {
          faults.push(`${name} (${size}, ${colorScheme}): ${one.id}: ${one.help}: ${one.nodes[0].html.slice(0, 160)}`);
        }
      };
      const stranger = await browser.newContext(options);
      const door = await stranger.newPage();
      await door.goto(`${url}/login`);
      await examine(door, "login");
      await stranger.close();
      const { context, page } = await logged_in(browser, "ann", options);
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(url + path);
        await examine(page, name);
      }
      await context.close();
    }
  }
  const { context, page } = await logged_in(browser, "ann");
  await page.setViewportSize({ width: 794, height: 1123 });  // A4
  await page.emulateMedia({ media: "print" });
  for (const name of ["task", "now", "job", "table"]) {
    await page.goto(url + pages[name]);
    await page.screenshot({ path: `${shots}/${name}-print.png`, fullPage: true });
    await page.pdf({ path: `${shots}/${name}.pdf`, format: "A4", margin: { top: "12mm", bottom: "12mm", left: "12mm", right: "12mm" } });
  }
  await context.close();
}
