/* A page opened from the file system may not read other files, so the search
   lists titles alone there; it would report an error for each page otherwise. */
if (window.location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
