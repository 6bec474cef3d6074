// What a person does, with the policy that the server sends: search, copy, walk, act; and what is not allowed.
export async function act({ url, browser, check, faults, logged_in, job }) {
  const { context, page } = await logged_in(browser, "ann", { permissions: ["clipboard-read", "clipboard-write"] });
  page.on("console", (said) => { if (said.type() === "error") faults.push(`${page.url()}: ${said.text()}`); });
  const text = () => page.locator("main").innerText();

  await page.goto(`${url}/tasks`);
  await page.getByRole("searchbox").pressSequentially("staging.rate");
  await page.waitForURL("**/tasks?q=staging.rate*");
  await page.waitForFunction(() => document.querySelectorAll("#found tbody tr").length === 1);
  await page.getByRole("link", { name: "erp.staging.rate" }).click();
  check("a failed task says why", (await page.locator(".notice.bad").innerText()).includes("division by zero"));

  await page.goto(`${url}/jobs/${job}`);
  const error = page.locator(".error-text");
  await error.getByRole("button", { name: "Copy" }).click();
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  check("an error is copied", (await copied()).includes('column "amout" does not exist'));
  check("its line is marked", (await page.locator("mark").first().innerText()).includes("amout"));
  await page.locator(".code:has(#sql-as-sent)").getByRole("button", { name: "Copy" }).click();
  check("SQL is copied without the numbers of its lines", /payment_id, amout \* -1 as refund\nfrom staging.payment\n/.test(await copied()));

  await page.goto(`${url}/lineage/mart.mart.revenue_eur`);
  check("what is wrong above is said", (await text()).includes("staging.rate"));
  await page.goto(`${url}/tasks/mart.mart.board`);
  check("a hostile description does nothing", (await page.title()).startsWith("mart.mart.board"));
  await page.keyboard.press("Tab");
  check("the keyboard begins at the skip link", (await page.evaluate(() => document.activeElement.className)) === "skip");

  await page.goto(`${url}/tasks/erp.staging.customer`);
  await page.getByRole("link", { name: "Blacklist", exact: true }).click();
  await page.getByLabel("length").or(page.locator("input[name=length]")).first().fill("2 hours");
  await page.locator("input[name=note]").fill("until <b>the</b> migration");
  await page.locator("main form button").first().click();
  await page.waitForURL("**/tasks/erp.staging.customer");
  check("it is said what was done", (await text()).includes("Blacklist"));
  await page.goto(`${url}/events`);
  check("an action is an event with who did it", (await text()).includes("ann (login)"));

  const { context: other, page: viewer } = await logged_in(browser, "vera");
  await viewer.goto(`${url}/tasks/erp.staging.customer`);
  check("a viewer is offered no action", (await viewer.locator(".actions").count()) === 0);
  const refused = await viewer.goto(`${url}/actions/pause`);
  check("a viewer may not act", refused.status() === 403);
  await other.close();
  await context.close();

  const { context: still, page: plain } = await logged_in(browser, "ann", { javaScriptEnabled: false });
  await plain.goto(`${url}/tasks`);
  await plain.getByRole("searchbox").fill("staging.rate");
  await plain.getByRole("button", { name: "Search" }).click();
  check("a search works without scripts", (await plain.locator("#found tbody tr").count()) === 1);
  await still.close();
}
