// A form made of a JSON schema, as OpenAPI has it: a field each, with its default, range and help, and what
// the server says against it beside it.
import { Problem } from './api.js';
import { element } from './ui.js';

let numbers = 0; // of ids, which must not repeat within the page

const words = (name) => name.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());
const has = (schema, type) => [schema.type].flat().includes(type);

// What is typed as a number goes as one where the schema takes it, else as text.
function typed(schema, text) {
    const number = text.trim() !== '' && (has(schema, 'number') || has(schema, 'integer'));
    return number && Number.isFinite(Number(text)) ? Number(text) : text;
}

// Kinds of fields: {make(schema, id, choices) -> the control, read(control, schema) -> its value, undefined = not given}.
const FLAG = {
    make: (schema, id) => element('input', { id, type: 'checkbox', checked: schema.default === true && '' }),
    read: (control) => control.checked,
};

const CHOICE = {
    make: (schema, id, choices) => element('select', { id }, ...[...schema.default === undefined ? [''] : [], ...choices || schema.enum]
        .map((value) => element('option', { value, selected: value === schema.default && '' }, value || 'none'))),
    read: (control) => control.value || undefined,
};

const LINES = {
    make: (schema, id) => element('textarea', { id, rows: 2, spellcheck: 'false', placeholder: 'one a line' }),
    read: (control) => {
        const lines = control.value.split('\n').map((line) => line.trim()).filter(Boolean);
        return lines.length ? lines : undefined;
    },
};

const TEXT = {
    make: (schema, id) => {
        const number = !has(schema, 'string');
        return element('input', {
            id, type: number ? 'number' : 'text', min: schema.minimum, max: schema.maximum, maxlength: schema.maxLength,
            step: number && (has(schema, 'integer') ? 1 : 'any'), autocomplete: 'off', spellcheck: 'false',
            autocapitalize: 'off', placeholder: schema.default === undefined ? null : String(schema.default),
        });
    },
    read: (control, schema) => (control.value.trim() ? typed(schema, control.value.trim()) : undefined),
};

function kindOf(schema, choices) {
    if (has(schema, 'boolean')) return FLAG;
    if (choices || schema.enum) return CHOICE;
    return has(schema, 'array') ? LINES : TEXT;
}

export class SchemaForm {
    // first: names of the fields that are always seen, in this order; the others are under "More settings".
    // choices: {name: values} where the server knows what may be chosen.
    constructor(schema, { first = [], choices = {} } = {}) {
        Object.assign(this, { schema, choices, fields: new Map() });
        const names = Object.keys(schema.properties);
        const shown = first.filter((name) => names.includes(name));
        this.more = element('details', { class: 'more' }, element('summary', {}, 'More settings'),
            ...names.filter((name) => !shown.includes(name)).map((name) => this.field(name, schema.properties[name])));
        this.node = element('div', { class: 'form' }, ...shown.map((name) => this.field(name, schema.properties[name])), this.more);
    }

    field(name, schema) {
        if (schema.properties) return this.group(name, schema);
        const choices = this.choices[name];
        const kind = kindOf(schema, choices);
        const id = `field-${++numbers}`;
        const control = kind.make(schema, id, choices);
        const problem = element('p', { id: `${id}-problem`, class: 'wrong', hidden: '' });
        control.setAttribute('aria-describedby', `${id}-help ${id}-problem`);
        control.required = (this.schema.required || []).includes(name);
        this.fields.set(name, { control, kind, schema, problem });
        control.addEventListener('input', () => this.clear(name));
        return element('div', { class: kind === FLAG ? 'field flag' : 'field' },
            element('label', { for: id }, words(name.replace(/^.*\./, '')), control.required ? '' : element('span', { class: 'of' }, kind === FLAG ? '' : ' optional')),
            control, element('p', { id: `${id}-help`, class: 'help' }, schema.description), problem);
    }

    group(name, schema) {
        const parts = Object.entries(schema.properties).map(([part, one]) => this.field(`${name}.${part}`, one));
        return element('fieldset', {}, element('legend', {}, words(name)),
            element('p', { class: 'help' }, schema.description), ...parts);
    }

    set(name, value) {
        const { control, kind } = this.fields.get(name);
        if (kind === FLAG) control.checked = value;
        else control.value = value;
    }

    // What differs from the defaults.
    value() {
        const result = {};
        for (const [name, { control, kind, schema }] of this.fields) {
            const value = kind.read(control, schema);
            if (value === undefined || value === schema.default || (value === false && schema.default === undefined)) continue;
            const [group, part] = name.split('.');
            if (part) (result[group] ||= {})[part] = value;
            else result[name] = value;
        }
        return result;
    }

    clear(name) {
        const { control, problem } = this.fields.get(name);
        problem.hidden = true;
        control.removeAttribute('aria-invalid');
    }

    // Puts what is wrong beside its field, which gets the focus. False: it belongs to none.
    complain(error) {
        if (!(error instanceof Problem)) return false;
        const name = [error.field.replace(/\[.*$/, ''), error.field.split('.')[0]].find((one) => this.fields.has(one))
            || [...this.fields.keys()].find((one) => one.startsWith(`${error.field}.`));
        if (!error.field || !name) return false;
        const { control, problem } = this.fields.get(name);
        problem.textContent = error.detail || error.message;
        problem.hidden = false;
        control.setAttribute('aria-invalid', 'true');
        if (this.more.contains(control)) this.more.open = true;
        control.focus();
        return true;
    }
}
