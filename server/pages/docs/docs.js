// Shows an OpenAPI document with Swagger UI. Calls that are tried out go to the origin that the page came from.
const DOCUMENTS = { everything: '/openapi.json', cloud: '/api/v1/openapi.json' };

async function show() {
  const wanted = new URLSearchParams(location.search).get('document');
  const path = DOCUMENTS[wanted] ?? DOCUMENTS.everything;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.search === location.search) link.setAttribute('aria-current', 'page');
  }
  if (typeof SwaggerUIBundle === 'undefined') {
    document.getElementById('notice').textContent =
      `Swagger UI is not there: 'webhand doctor --fix' fetches it. The document itself: ${location.origin}${path}`;
    return;
  }
  const answer = await fetch(path);
  const spec = await answer.json();
  spec.servers = [{ url: location.origin }];
  SwaggerUIBundle({
    spec,
    domNode: document.getElementById('reference'),
    deepLinking: true,
    docExpansion: 'list',
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null, // nothing of this is sent anywhere
  });
}

show();
