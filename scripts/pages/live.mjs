// The page that renews itself: when a job starts and ends, when the connection is cut, when the server stops.
import { once } from "node:events";
import { connect, createServer } from "node:net";

// A way to the server that can be cut.
async function wire(port) {
  const open = new Set();
  const listener = createServer((socket) => {
    const other = connect(port, "127.0.0.1");
    for (const [one, to] of [[socket, other], [other, socket]]) {
      open.add(one);
      one.on("error", () => {}).on("close", () => { open.delete(one); to.destroy(); }).pipe(to);
    }
  });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const cut = () => open.forEach((socket) => socket.destroy());
  return { url: `http://127.0.0.1:${listener.address().port}`, cut, close() { listener.close(); cut(); } };
}

export async function live({ url, port, browser, check, server, logged_in, shots }) {
  const line = await wire(port);
  const { context, page } = await logged_in(browser, "ann");
  await page.goto(`${line.url}/`);
  await page.evaluate(() => { window.same = true; });  // gone after a reload
  const wait = (what, argument) => page.waitForFunction(what, argument, { timeout: 40000 }).then(() => true, () => false);
  const lost = (state) => page.locator("#lost").waitFor({ state, timeout: 70000 }).then(() => true, () => false);

  // Runs a task from another page, and sees that this one shows its job.
  const is_there = ([task, job]) => [...document.querySelectorAll("section:has(#ended) a")]
    .some((link) => link.innerText === task && Number(link.href.split("/").pop()) === job);
  const run = async (task) => {
    const { context: other, page: hand } = await logged_in(browser, "ann");
    await hand.goto(`${url}/tasks/${task}`);
    await hand.getByRole("link", { name: "Run now" }).click();
    await hand.locator("main form button").first().click();
    await hand.waitForURL(`**/tasks/${task}`);
    const said = await hand.locator("[role=status]").first().innerText();  // "Run now: 613 web.staging.visit"
    await other.close();
    return Number(said.match(/\d+/)[0]);
  };
  const runs = async (task, words) => check(words, await wait(is_there, [task, await run(task)]));

  const rows = "section:has(#running) td[data-label=rows]";
  if (await page.locator(rows).count() === 0) await run("erp.staging.shipment");
  check("a job that starts is seen", await wait((rows) => document.querySelector(rows) !== null, rows));
  const before = await page.locator(rows).first().innerText();
  check("the rows of a running job grow", await wait(([rows, before]) =>
    ![undefined, before].includes(document.querySelector(rows)?.innerText), [rows, before]));
  await runs("web.staging.visit", "a job that ended is seen without a reload");

  line.cut();
  await runs("mart.mart.open_items", "a job is seen after the connection was cut");
  check("what is taken up again is live", await lost("hidden"));

  await server.stop();
  check("a page whose server stopped says so", await lost("visible"));
  check("and still has what it had", (await page.locator("main").innerText()).includes("Ended last"));
  await page.screenshot({ path: `${shots}/now-server-stopped.png`, fullPage: true });
  await server.start();
  check("a page is live again when its server is back", await lost("hidden"));
  await runs("web.staging.visit", "a job that ended after that is seen, too");
  check("none of it was a reload", await page.evaluate(() => window.same === true));
  await context.close();
  line.close();
}
