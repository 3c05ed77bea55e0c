// The models that the server offers. The chosen one is asked before the others.

let offered = [];

/** Note them, [{id, reads, writes, languages}], the chosen one first (and then perhaps once more). */
export const noteModels = (models) => (offered = models);

/** The first of them that fits, or undefined. */
export const modelThat = (fits) => offered.find(fits);
