/** Services for tests of registration: the programming guide's example, and one that uses everything. */
import type { ServiceSpec } from '../../../host/vcloud/service-spec.ts';

/** Registered in the guide: namespace, a filter of four parts and three service links. */
export const backupSpec: ServiceSpec = {
  name: 'backup',
  namespace: 'org.example.vcd.backup',
  exchange: 'backup',
  routingKey: 'backup',
  vendor: 'Example Corp',
  apiFilters: [
    {
      urlPattern:
        '(/api/org/[-,a-g,0-9]*/backups)|(/api/vApp/vapp-[-,a-g,0-9]*/backups)|(/api/vApp/vapp-[-,a-g,0-9]*/action/backup)|(/api/backup/[-,a-g,0-9]*)',
    },
  ],
  serviceLinks: [
    {
      rel: 'down:backups',
      linkHref: '{baseUri}org/{resourceId}/backups',
      mimeType: 'application/vnd.example.backups+xml',
      resourceType: 'application/vnd.vmware.vcloud.org+xml',
    },
    {
      rel: 'down:backups',
      linkHref: '{baseUri}vApp/vapp-{resourceId}/backups',
      mimeType: 'application/vnd.example.backups+xml',
      resourceType: 'application/vnd.vmware.vcloud.vApp+xml',
    },
    {
      rel: 'backup',
      linkHref: '{baseUri}vApp/vapp-{resourceId}/action/backup',
      mimeType: 'application/vnd.example.backupParams+xml',
      resourceType: 'application/vnd.vmware.vcloud.vApp+xml',
    },
  ],
  rights: [
    { name: 'Backup: View', category: 'Backup' },
    { name: 'Backup: Manage', category: 'Backup', bundleKey: 'right.backup.manage' },
  ],
};

/** Every sub-collection, hostile text in patterns, rules that refer to rights, resources and an org. */
export function fullSpec(org: string, externalObjectId = 'b-1'): ServiceSpec {
  return {
    ...backupSpec,
    description: 'Backups of <vApps> & "orgs"',
    authorizationEnabled: true,
    apiFilters: [
      { urlPattern: '/api/backup/(?<id>[^/&<>"\']+)' },
      { urlPattern: '/api/org/[^/]+/backups' },
      { responseContentType: 'application/vnd.vmware.admin.organization+xml;version=38.0' },
    ],
    serviceLinks: [
      {
        rel: 'down:backups',
        linkHref: '{baseUri}org/{resourceId}/backups?a=1&b=2',
        mimeType: 'application/vnd.example.backups+xml',
        resourceType: 'application/vnd.vmware.vcloud.org+xml',
        resourceId: org,
        externalResourceId: 'urn:example:1',
      },
    ],
    apiDefinitions: [
      {
        name: 'backup-api',
        description: 'The API',
        entryPoint: '{baseUri}backup',
        namespace: 'org.example.vcd.backup.v1',
        apiVendor: 'Example Corp',
        supportedApiVersions: ['1.0', '1.1'],
        files: [
          {
            name: 'backup.xsd',
            mimeType: 'application/xml',
            href: 'https://docs.example.com/backup.xsd',
            description: 'Schema',
          },
        ],
      },
    ],
    resourceClasses: [
      {
        name: 'backup',
        mimeType: 'application/vnd.example.backup+xml',
        urlTemplate: '{baseUri}backup/{resourceId}',
        nid: 'backup',
        urnPattern: 'urn:backup:(?<id>.*)',
        resources: [{ name: 'nightly', org: `urn:vcloud:org:${org}`, externalObjectId }],
        actions: [
          {
            name: 'read',
            httpMethod: 'GET',
            urlPattern: '/api/backup/(?<id>[-,a-g,0-9]*)',
            aclRules: [
              {
                name: 'holders',
                serviceResource: 'shared',
                organization: 'shared',
                principal: { right: 'Backup: View' },
              },
              {
                name: 'one-org',
                serviceResource: { resource: 'nightly' },
                organization: { org },
                principal: 'shared',
              },
            ],
          },
          {
            name: 'remove',
            httpMethod: 'DELETE',
            urlPattern: '/api/backup/(?<id>[-,a-g,0-9]*)',
            aclRules: [
              {
                name: 'anybody',
                organization: 'published',
                principal: { right: 'Backup: Manage' },
              },
            ],
          },
        ],
      },
    ],
  };
}
