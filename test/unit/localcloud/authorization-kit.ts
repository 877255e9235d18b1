/** Services with one resource class and one action, for tests of authorization. */
import type { User } from '../../../sdk/localcloud/cell/model.ts';
import { type Cloud, HEAD, answerWith, filters, registerService, urlFilter } from './kit.ts';

export const access = (name: string, value: string, href?: string) =>
  `<vmext:${name}><vmext:Access>${value}</vmext:Access>${href === undefined ? '' : `<vmext:Entity xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="ResourceReferenceType" href="${href}"/>`}</vmext:${name}>`;

export interface Rule {
  readonly resource?: string;
  readonly org: string;
  readonly principal: string;
}

export const published: Rule = {
  org: access('OrganizationAccess', 'Published'),
  principal: access('PrincipalAccess', 'Shared'),
};

interface Setting {
  readonly rules?: readonly Rule[];
  readonly pattern?: string;
  readonly method?: string;
  readonly mime?: string;
  readonly resources?: string;
}

/** A service for `/api/backup/…` whose one class has one action with the rules. */
export async function setUp(cloud: Cloud, setting: Setting): Promise<string> {
  const {
    rules = [published],
    pattern = '/api/backup/(?&lt;id&gt;[-A-Za-z0-9]+)',
    method = 'GET',
    mime = 'application/vnd.vmware.admin.organization+xml',
    resources = '',
  } = setting;
  const acl = rules
    .map(
      ({ resource = '', org, principal }) =>
        `<vmext:AclRule name="r">${resource}${org}${principal}</vmext:AclRule>`,
    )
    .join('');
  const containers = `${filters(urlFilter('/api/backup/.*'))}<vmext:ResourceClasses><vmext:ResourceClass name="c"><vmext:MimeType>${mime}</vmext:MimeType><vmext:Nid>n</vmext:Nid>${resources}<vmext:ResourceClassActions><vmext:ResourceClassAction name="a"><vmext:HttpMethod>${method}</vmext:HttpMethod><vmext:UrlPattern>${pattern}</vmext:UrlPattern><vmext:AclRules>${acl}</vmext:AclRules></vmext:ResourceClassAction></vmext:ResourceClassActions></vmext:ResourceClass></vmext:ResourceClasses>`;
  cloud.services.set('s', (message) => answerWith(message, 'yes'));
  return registerService(cloud, { authorization: true, containers });
}

/** The document of a check. */
export const params = (user: User, method: string, url: string) =>
  `<vmext:AuthorizationCheckParams ${HEAD}><vmext:User href="http://x/api/admin/user/${user.id}"/><vmext:HttpMethod>${method}</vmext:HttpMethod><vmext:URL>${url}</vmext:URL></vmext:AuthorizationCheckParams>`;
