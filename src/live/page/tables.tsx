/** How many prefixes RIB and FIB hold, by family. */
import type { TableView } from '../router-view.js';
import { count } from './figures.js';

export function Tables({ families }: { readonly families: readonly TableView[] }) {
  if (families.length === 0) return null;
  return (
    <section class="card" aria-labelledby="tables-title">
      <h2 id="tables-title">Tables</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">family</th>
            <th scope="col" class="n">
              prefixes
            </th>
            <th scope="col" class="n">
              routes
            </th>
            <th scope="col" class="n">
              FIB
            </th>
          </tr>
        </thead>
        <tbody>
          {families.map(({ family, prefixes, routes, fib }) => (
            <tr key={family}>
              <th scope="row">{family}</th>
              <td class="n">{count(prefixes)}</td>
              <td class="n">{count(routes)}</td>
              <td class="n">{count(fib)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
