// node server.mjs PORT : see start.sh
import { createRequire } from 'module';
const require = createRequire(process.env.LAB_STATE + '/node/package.json');
const load = name => { let m = require(name); while (m.default) m = m.default; return m; };
const SCIMMY = load('scimmy'), Routers = load('scimmy-routers'), express = load('express');

let last = 0;
for (const type of ['User', 'Group']) {
  const rows = new Map(), unique = type === 'User' ? 'userName' : 'displayName';
  const gone = () => new SCIMMY.Types.Error(404, null, 'not found');
  const same = (a, b) => String(a).toLowerCase() === String(b).toLowerCase();
  SCIMMY.Resources.declare(SCIMMY.Resources[type])
    .ingress((resource, data) => {
      if (resource.id && !rows.has(resource.id)) throw gone();
      const id = resource.id || `${type.toLowerCase()}-${++last}`, before = rows.get(id);
      for (const [other, row] of rows)
        if (other !== id && same(row[unique], data[unique])) throw new SCIMMY.Types.Error(409, 'uniqueness', unique + ' is taken');
      const now = new Date(), row = { ...JSON.parse(JSON.stringify(data)), id, meta: { created: before?.meta.created || now, lastModified: now } };
      rows.set(id, row);
      return row;
    })
    .egress(resource => {
      if (!resource.id) return resource.filter ? resource.filter.match([...rows.values()]) : [...rows.values()];
      if (!rows.has(resource.id)) throw gone();
      return rows.get(resource.id);
    })
    .degress(resource => { if (!rows.delete(resource.id)) throw gone(); });
}

const app = express();
// The routers turn startIndex and count into numbers in place, which express 5 forgets: its query is parsed anew at each
// look, and the service gives its first twenty objects for every index. With PAGING=0 it stays so.
if (process.env.PAGING !== '0')
  app.use((request, _, next) => { Object.defineProperty(request, 'query', { value: { ...request.query } }); next(); });
app.use('/scim', new Routers({
  type: 'bearer',
  handler: request => {
    if (request.header('Authorization') !== 'Bearer labtoken') throw new Error('bad token');
    return 'lab';
  },
}));
app.listen(+process.argv[2], '127.0.0.1', () => console.log('scimmy up', process.pid));
