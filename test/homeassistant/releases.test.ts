/** The oldest Home Assistant is one and the same in what is promised, asked for, pinned and run. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { repository } from '../lab/paths.js';

const textOf = (file: string) => readFileSync(`${repository}${file}`, 'utf8');
const found = (file: string, pattern: RegExp) => pattern.exec(textOf(file))?.[1];

it('the oldest release is the same everywhere', () => {
  const oldest = found('test/homeassistant/requirements-oldest.txt', /^homeassistant==(\S+)$/m) ?? '';
  const month = oldest.replace(/\.0$/, '');
  assert.equal(found('README.md', /\(Home Assistant (\S+) or newer\)/), month);
  assert.equal(found('homeassistant/README.md', /You need Home Assistant (\S+) or newer/), month);
  assert.equal(found('package.json', /--homeassistant --release (\S+?)"/), oldest);
  const folder = 'homeassistant/blueprints/automation/sockmon';
  for (const name of readdirSync(`${repository}${folder}`))
    assert.equal(found(`${folder}/${name}`, /min_version: "?([\d.]+)/), oldest, name);
});
