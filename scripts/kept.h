/* What compiled cores look up by name, kept where it is looked up for as long as it cannot have changed: as CPython's
   own interpreter does it. Whatever is bound anew, of a module or of a class, is found by the next look. */

#ifndef ATTACCA_KEPT_H
#define ATTACCA_KEPT_H

#include <Python.h>
#include <CPy.h>

#if defined(__GNUC__) && PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000

#include <structmember.h>

#define KEPT_TRIES 64 /* of a place that sees many classes by turns nothing is kept */

typedef struct {
    uint64_t version; /* of the dictionary; no two have the same */
    PyObject *value;  /* the dictionary's own reference, which it gives up with its version */
} KeptName;

static inline PyObject *kept_name(PyObject *names, PyObject *name, KeptName *kept)
{
    uint64_t version = ((PyDictObject *)names)->ma_version_tag;
    PyObject *value;
    if (likely(version == kept->version)) {
        Py_INCREF(kept->value);
        return kept->value;
    }
    value = CPyDict_GetItem(names, name);
    if (value != NULL) {
        kept->value = value;
        kept->version = version;
    }
    return value;
}

typedef struct {
    unsigned int version; /* of the class; 0 is none's */
    unsigned int tries;
    Py_ssize_t offset;
    getter get;
    void *closure;
} KeptAttribute;

__attribute__((noinline, unused)) static PyObject *
look_attribute_up(PyObject *object, PyObject *name, KeptAttribute *kept)
{
    PyObject *value = PyObject_GetAttr(object, name), *found;
    PyTypeObject *type = Py_TYPE(object);
    if (value == NULL || kept->tries > KEPT_TRIES)
        return value;
    kept->tries++;
    if (type->tp_getattro != PyObject_GenericGetAttr)
        return value;
    found = _PyType_Lookup(type, name);
    if (found == NULL || !PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG))
        return value;
    if (Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type != T_OBJECT_EX || member->flags & READ_RESTRICTED)
            return value;
        kept->get = NULL;
        kept->offset = member->offset;
        kept->version = type->tp_version_tag;
    } else if (Py_IS_TYPE(found, &PyGetSetDescr_Type)) {
        PyGetSetDef *getset = ((PyGetSetDescrObject *)found)->d_getset;
        if (getset->get == NULL)
            return value;
        kept->get = getset->get;
        kept->closure = getset->closure;
        kept->version = type->tp_version_tag;
    }
    return value;
}

static inline PyObject *kept_attribute(PyObject *object, PyObject *name, KeptAttribute *kept)
{
    unsigned int version = Py_TYPE(object)->tp_version_tag;
    if (likely(version == kept->version && version != 0)) {
        PyObject *value;
        if (kept->get != NULL)
            return kept->get(object, kept->closure);
        value = *(PyObject **)((char *)object + kept->offset);
        if (likely(value != NULL)) {
            Py_INCREF(value);
            return value;
        }
    }
    return look_attribute_up(object, name, kept);
}

typedef struct {
    unsigned int version; /* of the class; 0 is none's */
    unsigned int tries;
    PyObject *method; /* the class's own reference, which it gives up with its version */
} KeptMethod;

__attribute__((noinline, unused)) static void
look_method_up(PyTypeObject *type, PyObject *name, KeptMethod *kept)
{
    PyObject *found;
    kept->tries++;
    if (type->tp_getattro != PyObject_GenericGetAttr || type->tp_dictoffset != 0)
        return;
    found = _PyType_Lookup(type, name);
    if (found != NULL && PyType_HasFeature(Py_TYPE(found), Py_TPFLAGS_METHOD_DESCRIPTOR) &&
        PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) {
        kept->method = found;
        kept->version = type->tp_version_tag;
    }
}

static inline PyObject *
kept_method(PyObject *name, PyObject *const *args, size_t nargsf, PyObject *kwnames, KeptMethod *kept)
{
    PyTypeObject *type = Py_TYPE(args[0]);
    unsigned int version = type->tp_version_tag;
    if (likely(version == kept->version && version != 0)) {
        PyObject *method = kept->method, *result;
        Py_INCREF(method); /* it may be bound anew by what it does */
        result = PyObject_Vectorcall(method, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
        Py_DECREF(method);
        return result;
    }
    if (kept->tries <= KEPT_TRIES)
        look_method_up(type, name, kept);
    return PyObject_VectorcallMethod(name, args, nargsf, kwnames);
}

#define KEPT_NAME(names, name) ({ static KeptName kept; kept_name(names, name, &kept); })
#define KEPT_ATTRIBUTE(object, name) ({ static KeptAttribute kept; kept_attribute(object, name, &kept); })
#define KEPT_METHOD(name, args, nargsf, kwnames)                                                                       \
    ({ static KeptMethod kept; kept_method(name, args, nargsf, kwnames, &kept); })

#else

#define KEPT_NAME CPyDict_GetItem
#define KEPT_ATTRIBUTE CPyObject_GetAttr
#define KEPT_METHOD PyObject_VectorcallMethod

#endif
#endif
