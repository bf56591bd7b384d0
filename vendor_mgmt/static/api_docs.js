// The description of the API, drawn by Swagger UI from our own files. It only reads: what changes something asks for a token or a form.
"use strict";
const place = document.getElementById("api");
SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  supportedSubmitMethods: ["get"],
  validatorUrl: null,
  queryConfigEnabled: false,
  syntaxHighlight: { activated: false },
});
