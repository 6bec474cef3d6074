// Looks at the pages and does what a person does with them, in Chromium: node browser.mjs JSON
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { chromium } from "playwright-core";
import { act } from "./act.mjs";
import { live } from "./live.mjs";
import { look } from "./look.mjs";

const given = JSON.parse(process.argv[2]);
const url = `http://127.0.0.1:${given.port}`;
const faults = [];
const check = (what, holds) => { if (!holds) faults.push(what); };

const server = {
  async start() {
    const [program, ...options] = given.server;
    this.process = spawn(program, [...options, "--port", String(given.port)], { stdio: ["ignore", "ignore", "inherit"] });
    for (let tries = 0; tries < 600; tries++) {
      const socket = connect(given.port, "127.0.0.1");
      const is_there = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(() => false);
      socket.destroy();
      if (is_there) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("the server does not listen");
  },
  async stop() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
  },
};

// A context in which somebody is logged in.
async function logged_in(browser, name, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
  await page.goto(`${url}/login`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(given.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(`${url}/`);
  return { context, page };
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
const setting = { ...given, url, browser, check, faults, server, logged_in };
try {
  await server.start();
  for (const part of given.parts) await { look, act, live }[part](setting);
} catch (error) {
  faults.push(error.stack);
} finally {
  await browser.close();
  await server.stop();
}
console.log(faults.length ? [...new Set(faults)].join("\n") : "the pages are as they must be");
process.exit(faults.length ? 1 : 0);
