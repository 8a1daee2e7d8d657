#!/usr/bin/env node
/** The program `flowfate`. */
import { processIo } from './io.js';
import { run } from './run.js';

process.exitCode = await run(process.argv.slice(2), processIo());
