"""Every code a problem can carry. Stable words: tests, editors and ignore lists hold on to them."""

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        # files and YAML
        "no-policies": "there is nothing to read where the policies should be",
        "unreadable": "a file can't be read",
        "encoding": "a file is not UTF-8 text",
        "yaml": "a file is not YAML 1.2",
        "second-document": "a file holds more than one YAML document",
        "anchor": "an anchor or an alias: values are written where they hold",
        "tag": "a YAML tag: the form of a value follows from its key",
        "merge-key": "`<<` is not part of YAML 1.2",
        "duplicate-key": "a map holds the same key twice",
        "empty-value": "a key without a value, or a null",
        "key-not-text": "a key that YAML reads as a number or a truth value",
        "ambiguous-scalar": "a plain value that YAML readers disagree about",
        "comma-in-amount": "a comma inside an amount: YAML starts a new key there",
        "space-after-colon": "a colon without a space after it: YAML reads one long word",
        "too-deep": "values nested deeper than any policy needs",
        # form
        "version": "a file that does not say which version of the language it is written in",
        "unknown-key": "a key that is no word of the language in this place",
        "unsupported": "a word of the language that this version does not support yet",
        "wrong-form": "a value of the wrong form or unit",
        "missing-key": "a map that lacks a key it can't do without",
        "literal-secret": "a secret written out in a file",
        # names
        "duplicate-name": "one name declared in two places",
        "reserved-name": "a name that is a word of the language",
        "dangling-name": "a name that nothing declares",
        "undeclared-provider": "a target whose provider is not declared",
        "undeclared-ancestor": "a tenant whose parent is not declared",
        "unknown-kind": "a provider of no known kind",
        "unknown-model": "a model that neither the policies nor the price file know",
        "unknown-parameter": "a parameter that no call can carry",
        "unknown-time-zone": "a time zone that does not exist",
        "missing-address": "a provider that can't be reached without a `base_url`",
        "misplaced-setting": "a setting that this kind of provider does not take",
        "cycle": "policies that lead back to themselves",
        # meaning
        "target-written-twice": "a target that stands twice in one list",
        "rule-never-reached": "a rule that an earlier one always hides, or that can never hold",
        "policy-not-granted": "a tenant is given a policy that its parent withholds",
        "no-policies-named": "a root tenant that does not say which policies it may call",
        "uncallable-policy": "a policy that no tenant may call and no policy leads to",
        "nested-cache": "a cache that never applies, because its policy is only reached from others",
        "unknown-price": "a model without a price under a hard budget",
        "no-output-ceiling": "a hard budget over targets whose output nothing bounds",
        "budget-below-attempt": "a budget that can't pay one attempt",
        "limit-below-request": "a token limit below what one request reserves",
        "smaller-context": "a target whose context is smaller than the policy lets requests be",
        "capability-lost": "a target that can't do what the rule it stands in asks for",
        "starved-target": "a target that those before it leave no time or attempt for",
        "attempt-beyond-total": "an attempt that may take longer than its whole request",
        "backoff-beyond-deadline": "a wait between retries that outlasts the request",
        "sampled-cache": "a cache for sampled answers that does not say so",
        "model-deprecated": "a model that its provider is about to retire",
    }
)
