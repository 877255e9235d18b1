/**
 * URL, URLSearchParams and URLPattern.
 * May import: install.
 */
import { URLPattern } from 'urlpattern-polyfill/urlpattern';
import { URL, URLSearchParams } from 'whatwg-url';
import { publish } from '../install.ts';

export { URL, URLSearchParams };

publish({ URL, URLSearchParams, URLPattern });
