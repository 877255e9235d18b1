/** What is said of a service before anything is sent. */
import { describe, expect, test } from 'vitest';
import { checkSpec, isAnchored } from '../../../host/vcloud/registration/checks.ts';
import type { ServiceSpec } from '../../../host/vcloud/service-spec.ts';
import { backupSpec, fullSpec } from '../../support/vcloud/service-specs.ts';

const codes = (change: Partial<ServiceSpec>) =>
  checkSpec({ ...backupSpec, ...change }).map(({ level, code }) => `${level} ${code}`);

const action = (urlPattern: string) => ({ name: 'a', httpMethod: 'GET', urlPattern }) as const;
const withAction = (urlPattern: string) =>
  codes({ resourceClasses: [{ name: 'c', mimeType: 'm', actions: [action(urlPattern)] }] });

test("nothing is wrong with the guide's example, nor with one that uses everything", () => {
  expect(checkSpec(backupSpec)).toEqual([]);
  expect(checkSpec(fullSpec('a93c9db9-7471-3192-8d09-a8f7eeda85f9'))).toEqual([]);
});

describe('errors', () => {
  test.each<[string, Partial<ServiceSpec>, string]>([
    [
      'a filter over 1024 characters',
      { apiFilters: [{ urlPattern: `/${'a'.repeat(1_024)}` }] },
      'FILTER_TOO_LONG',
    ],
    ['a filter with neither field', { apiFilters: [{} as never] }, 'FILTER_KIND'],
    [
      'a filter with both',
      { apiFilters: [{ urlPattern: '/a', responseContentType: 'b' } as never] },
      'FILTER_KIND',
    ],
    ['an open group', { apiFilters: [{ urlPattern: '/a(' }] }, 'PATTERN_INVALID'],
    ['an open class', { apiFilters: [{ urlPattern: '/[a' }] }, 'PATTERN_INVALID'],
    [
      'a group name that does not end',
      { apiFilters: [{ urlPattern: '/(?<id' }] },
      'PATTERN_INVALID',
    ],
    ['a right named twice', { rights: [{ name: 'A' }, { name: 'A' }] }, 'RIGHT_TWICE'],
    ['a right without a name', { rights: [{ name: '' }] }, 'FIELD_INVALID'],
    ['a priority out of range', { priority: 101 }, 'FIELD_INVALID'],
    ['an empty routing key', { routingKey: '' }, 'FIELD_INVALID'],
    [
      'a field of a link that is too long',
      { serviceLinks: [{ rel: 'a'.repeat(256), linkHref: '', mimeType: '', resourceType: '' }] },
      'FIELD_INVALID',
    ],
    [
      'a rule for a right that is not there',
      {
        resourceClasses: [
          {
            name: 'c',
            mimeType: 'm',
            actions: [
              {
                ...action('/a/(?<id>.*)'),
                aclRules: [{ name: 'r', organization: 'shared', principal: { right: 'No' } }],
              },
            ],
          },
        ],
      },
      'RIGHT_UNKNOWN',
    ],
    [
      'a rule for a resource that is not there',
      {
        resourceClasses: [
          {
            name: 'c',
            mimeType: 'm',
            actions: [
              {
                ...action('/a/(?<id>.*)'),
                aclRules: [
                  {
                    name: 'r',
                    organization: 'shared',
                    principal: 'shared',
                    serviceResource: { resource: 'No' },
                  },
                ],
              },
            ],
          },
        ],
      },
      'RESOURCE_UNKNOWN',
    ],
  ])('%s', (_, change, code) => {
    expect(codes(change)).toContain(`error ${code}`);
  });
});

describe('warnings', () => {
  test('an action whose pattern has no group named id', () => {
    expect(withAction('/a/(.*)')).toEqual(['warning ACTION_WITHOUT_ID']);
    expect(withAction('/a/(?<id>.*)')).toEqual([]);
  });

  test('authorization without classes', () => {
    expect(codes({ authorizationEnabled: true })).toEqual([
      'warning AUTHORIZATION_WITHOUT_CLASSES',
    ]);
  });

  test.each(['/a(?=b)', '/a(?<!b)c', '/a*+b', '/(?>a)', '/(a)\\1', '/a{1001}'])(
    'what only java.util.regex can read is left to vCloud: %s',
    (urlPattern) => {
      expect(codes({ apiFilters: [{ urlPattern }] })).toEqual(['warning PATTERN_UNCHECKED']);
    },
  );

  test.each([
    ['/api/org/.*', true],
    ['^/api/org/.*$', true],
    ['(/a)|(/b)', true],
    ['/a|/b', true],
    ['(?:/a|/b)/c', true],
    ['^(/a|/b)$', true],
    ['\\/a', true],
    ['.*', false],
    ['', false],
    ['api/backup', false],
    ['.*/backup', false],
    ['(/a)|(b)', false],
    ['/a|.*', false],
    ['(/a)?b', false],
    ['((/a)|b)/c', false],
    ['[/]a', false],
  ])('%s is anchored: %s', (pattern, anchored) => {
    expect(isAnchored(pattern)).toBe(anchored);
    const expected = anchored ? [] : ['warning FILTER_NOT_ANCHORED'];
    expect(codes({ apiFilters: [{ urlPattern: pattern }] })).toEqual(expected);
  });

  test('a pattern of many groups is looked at in reasonable time', () => {
    const started = performance.now();
    isAnchored('('.repeat(500) + ')'.repeat(500));
    isAnchored('(/a)|'.repeat(200));
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
