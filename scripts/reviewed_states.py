"""What attributes may hold besides plain data, and which look-ups by name there are.

Both are written by hand. `scripts/generate_allowlist.py` compares them with the installed
libraries. What is new there stops it, until somebody has looked at it and has written it down
here with the reason.
"""

from __future__ import annotations

from typing import NamedTuple

METHODS = "predict predict_proba decision_function"
ESTIMATORS = "they are asked to predict or transform"


class Reviewed(NamedTuple):
    """What attributes of these names may hold, and why that is harmless.

    What is listed may end in `*`: all that the allow-list has under this prefix.
    """

    shape: str
    names: str
    listed: str
    why: str


STATES = (
    Reviewed(
        "only",
        "estimator estimator_ estimators_ base_estimator base_estimator_ best_estimator_ "
        "final_estimator final_estimator_ regressor regressor_ transformer transformer_ remainder "
        "named_estimators_ calibrators label_binarizer_ _label_binarizer le_ _label_encoder "
        "one_hot_encoder_ kernel_pca_ nbrs_ initial_imputer_ imputation_sequence_ init_ indicator_ "
        "_encoder _scaler _centerer _tfidf _bin_mapper _preprocessor _estimator nn_fit",
        "estimator",
        ESTIMATORS,
    ),
    Reviewed(
        "named",
        "steps transformer_list transformers transformers_ _remainder estimators",
        "estimator",
        ESTIMATORS,
    ),
    Reviewed("holds", "init", "estimator", "what boosting begins with; elsewhere a word"),
    Reviewed(
        "holds",
        "param_grid param_distributions best_params_ cv_results_",
        "estimator numpy:* sklearn.feature_selection.* sklearn.gaussian_process.kernels:*()",
        "what a search tried; only another fit would use it",
    ),
    Reviewed(
        "only",
        "calibrated_classifiers_",
        "sklearn.calibration:_CalibratedClassifier()",
        "the parts of a calibrated classifier",
    ),
    Reviewed(
        "only",
        "tree_ _tree",
        "sklearn.tree._tree:Tree() sklearn.neighbors._kd_tree:KDTree() "
        "sklearn.neighbors._ball_tree:BallTree()",
        "trees, whose nodes mlreg.artifacts.structures looks at",
    ),
    Reviewed(
        "only",
        "_predictors",
        "sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor()",
        "trees, whose nodes mlreg.artifacts.structures looks at",
    ),
    Reviewed(
        "only",
        "_loss _base_loss closs _loss_function _loss_function_ loss_function_",
        "sklearn._loss.loss:*() sklearn._loss._loss:*() sklearn.linear_model._sgd_fast:*()",
        "losses compute numbers from numbers",
    ),
    Reviewed(
        "holds",
        "loss_",
        "sklearn._loss.loss:*() sklearn._loss._loss:*() sklearn.linear_model._sgd_fast:*()",
        "losses compute numbers from numbers; elsewhere a number",
    ),
    Reviewed("holds", "link", "sklearn._loss.link:*()", "links compute numbers from numbers"),
    Reviewed(
        "only", "interval_y_true interval_y_pred", "sklearn._loss.link:Interval()", "two bounds"
    ),
    Reviewed(
        "holds",
        "kernel",
        "sklearn.gaussian_process.kernels:*()",
        "kernels compute numbers from numbers; elsewhere a word",
    ),
    Reviewed(
        "only",
        "kernel_ kernels k1 k2",
        "sklearn.gaussian_process.kernels:*()",
        "kernels compute numbers from numbers",
    ),
    Reviewed(
        "holds",
        "random_state random_state_ _random_state _rng rng _feature_subsample_rng",
        "numpy.random.mtrand:RandomState() numpy.random._generator:Generator()",
        "generators of random numbers",
    ),
    Reviewed(
        "holds",
        "cv _checked_cv_orig",
        "sklearn.model_selection._split:*() sklearn.model_selection._split:*",
        "how a fit divides data",
    ),
    Reviewed(
        "holds",
        "scoring scorer_ _scorer _curve_scorer",
        "sklearn.metrics._scorer:*()",
        "scorers ask an estimator, by a method from a closed list",
    ),
    Reviewed(
        "only",
        "_score_func",
        "sklearn.metrics._classification:* sklearn.metrics._ranking:* "
        "sklearn.metrics._regression:* sklearn.metrics._scorer:* sklearn.metrics.cluster.*",
        "metrics compute numbers from numbers",
    ),
    Reviewed(
        "only",
        "score_func",
        "sklearn.feature_selection._univariate_selection:* "
        "sklearn.feature_selection._mutual_info:*",
        "they compute numbers from numbers",
    ),
    Reviewed("only", "pooling_func", "numpy:mean numpy:median", "means of columns"),
    Reviewed(
        "only",
        "func inverse_func",
        "numpy:abs numpy:cbrt numpy:exp numpy:expm1 numpy:log numpy:log10 numpy:log1p numpy:log2 "
        "numpy:sqrt numpy:square",
        "elementwise functions, which are given nothing but the input",
    ),
    Reviewed(
        "only",
        "_kmeans_single",
        "sklearn.cluster._kmeans:_kmeans_single_lloyd sklearn.cluster._kmeans:_kmeans_single_elkan",
        "the two ways of clustering",
    ),
    Reviewed(
        "only",
        "_asarray",
        "scipy._lib.array_api_compat.numpy._aliases:asarray",
        "how a spline makes arrays of its own numbers",
    ),
    Reviewed("only", "bsplines_", "scipy.interpolate._bsplines:*()", "splines"),
    Reviewed(
        "only",
        "f_",
        "scipy.interpolate._interpolate:interp1d() "
        "sklearn.isotonic:IsotonicRegression._build_f.<locals>.<lambda>",
        "made anew when it is loaded",
    ),
    Reviewed(
        "only",
        "_optimizer",
        "sklearn.neural_network._stochastic_optimizers:*()",
        "only another fit would use it",
    ),
    Reviewed(
        "only",
        "root_ dummy_leaf_ next_leaf_ prev_leaf_ child_ subclusters_",
        "sklearn.cluster._birch:_CFNode() sklearn.cluster._birch:_CFSubcluster()",
        "the tree of Birch",
    ),
    Reviewed(
        "holds",
        "_bisecting_tree left right",
        "sklearn.cluster._bisect_k_means:_BisectingTree()",
        "the tree of bisecting k-means; elsewhere a bound",
    ),
    Reviewed(
        "holds",
        "_metadata_request fit partial_fit predict predict_proba predict_log_proba "
        "decision_function score split transform inverse_transform",
        "sklearn.utils._metadata_requests:*()",
        "which arguments a scorer wants; no estimator can be given attributes of these names",
    ),
    Reviewed("holds", "owner", "estimator sklearn.metrics._scorer:*()", "whose request it is"),
    Reviewed(
        "names",
        "stack_method stack_method_ chain_method chain_method_ response_method _response_method",
        f"auto {METHODS} predict_log_proba",
        "the method of that name is called",
    ),
    Reviewed(
        "names",
        "estimator_params",
        "alpha ccp_alpha criterion max_depth max_features max_leaf_nodes min_impurity_decrease "
        "min_samples_leaf min_samples_split min_weight_fraction_leaf monotonic_cst random_state "
        "splitter",
        "they are read off the ensemble and set on its trees",
    ),
    Reviewed(
        "names",
        "verbose_feature_names_out",
        "{transformer_name}__{feature_name} {feature_name}__{transformer_name} "
        "{transformer_name}-{feature_name} {feature_name}-{transformer_name}",
        "a format, which could name attributes and widths",
    ),
    Reviewed(
        "names",
        "encoding",
        "utf-8 utf8 utf_8 UTF-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 ascii us-ascii latin-1 "
        "latin1 latin_1 iso-8859-1 iso8859-1 iso-8859-2 iso-8859-5 iso-8859-15 cp437 cp850 cp1250 "
        "cp1251 cp1252 cp1253 cp1254 cp1257 windows-1250 windows-1251 windows-1252 koi8-r koi8-u "
        "gb2312 gbk gb18030 big5 shift_jis euc-jp euc-kr cp932 cp949",
        "the module of that name is imported",
    ),
    Reviewed("names", "decode_error", "strict ignore replace", "a function is looked up"),
    Reviewed(
        "dotted",
        "importance_getter",
        "auto coef_ feature_importances_ named_steps best_estimator_ estimator_ regressor_ "
        "final_estimator_ base_estimator_",
        "an attribute of an attribute is read",
    ),
    Reviewed("keywords", "kw_args inv_kw_args", "", "an elementwise function writes to its `out`"),
    Reviewed(
        "keywords",
        "metric_params effective_metric_params_ _metric_params metric_kwds",
        "p V VI w",
        "they go into a function of distances, which has an `out`",
    ),
    Reviewed(
        "keywords",
        "kernel_params pairwise_kernels_kwargs",
        "gamma degree coef0",
        "they go into a kernel",
    ),
    Reviewed(
        "keywords",
        "_kwargs",
        "adjusted alpha average beta k labels max_fpr multi_class multioutput normalize pos_label "
        "power response_method squared zero_division replace_undefined_by",
        "they go into a metric",
    ),
    Reviewed("keywords", "cvargs", "n_splits shuffle", "they go into a splitter"),
    Reviewed("keywords", "fun_args", "alpha", "they go into a function of numbers"),
    Reviewed("keywords", "_sklearn_output_config", "transform", "a word that is found in a dict"),
    Reviewed(
        "dtypes",
        "dtype",
        "numpy:bool numpy:float16 numpy:float32 numpy:float64 numpy:int8 numpy:int16 numpy:int32 "
        "numpy:int64 numpy:uint8 numpy:uint16 numpy:uint32 numpy:uint64",
        "arrays of numbers; objects would be asked for methods by elementwise functions",
    ),
)

# Places that look something up by a name that is no constant there, by what makes them harmless.
LOOKUPS = {
    "the name comes from a closed list in STATES": """
        sklearn.compose._column_transformer._feature_names_out_with_str_format
        sklearn.ensemble._base.BaseEnsemble._make_estimator
        sklearn.ensemble._stacking._BaseStacking._method_name
        sklearn.ensemble._stacking._BaseStacking._transform
        sklearn.ensemble._stacking._BaseStacking.fit
        sklearn.feature_selection._base._get_feature_importances
        sklearn.metrics._scorer._MultimetricScorer._use_cache
        sklearn.metrics._scorer._Scorer._score
        sklearn.metrics._scorer._cached_call
        sklearn.model_selection._classification_threshold.FixedThresholdClassifier.predict
        sklearn.model_selection._classification_threshold.TunedThresholdClassifierCV.predict
        sklearn.multioutput._BaseChain._get_predictions
        sklearn.multioutput._BaseChain.fit
        sklearn.utils._response._get_response_values
        sklearn.utils._response._get_response_values_binary
        sklearn.utils.validation._check_response_method
    """,
    "the name is a constant of whoever calls, and the object is an estimator": """
        sklearn.calibration._CalibratedClassifier.predict_proba
        sklearn.calibration._fit_classifier_calibrator_pair
        sklearn.frozen._frozen.FrozenEstimator.__getattr__
        sklearn.frozen._frozen._estimator_has.check
        sklearn.model_selection._search._search_estimator_has.check
        sklearn.model_selection._validation._fit_and_predict
        sklearn.multiclass._estimators_has.check
        sklearn.pipeline._final_estimator_has.check
        sklearn.utils.validation._estimator_has.check
        sklearn.utils.metaestimators._BaseComposition._get_params
        sklearn.utils.metaestimators._BaseComposition._replace_estimator
        sklearn.utils.metaestimators._BaseComposition._set_params
        sklearn.utils._array_api.check_same_namespace
    """,
    "an object's own parameters, by the names of its constructor's arguments": """
        sklearn.base.BaseEstimator.get_params
        sklearn.gaussian_process.kernels.Kernel.get_params
        sklearn.gaussian_process.kernels.Kernel.hyperparameters
        sklearn.kernel_approximation.Nystroem._get_kernel_params
        sklearn.model_selection._split._build_repr
    """,
    "the names of methods in a list of scikit-learn, when it is imported or routes metadata": """
        sklearn.utils._metadata_requests.MetadataRequest.__getattr__
        sklearn.utils._metadata_requests.MetadataRequest.__sklearn_clone__
        sklearn.utils._metadata_requests.MetadataRequest._check_warnings
        sklearn.utils._metadata_requests.MetadataRequest._get_param_names
        sklearn.utils._metadata_requests.MetadataRequest._route_params
        sklearn.utils._metadata_requests.MetadataRequest._serialize
        sklearn.utils._metadata_requests.MetadataRequest.consumes
        sklearn.utils._metadata_requests.RequestMethod.__get__
        sklearn.utils._metadata_requests.RequestMethod.__get__.func
        sklearn.utils._metadata_requests._MetadataRequester._get_class_level_metadata_request_values
        sklearn.utils._param_validation.HasMethods.is_satisfied_by
        sklearn.utils._set_output._SetOutputMixin.__init_subclass__
        sklearn.utils._set_output.check_library_installed
        sklearn.callback._callback_context.CallbackContext._call_hooks
    """,
    "the format of a sparse matrix, which belongs to its class and which no state replaces": """
        scipy.sparse._base._spbase.asformat
        scipy.sparse._bsr._bsr_base._binopt
        scipy.sparse._compressed._cs_matrix._binopt
        scipy.sparse._compressed._cs_matrix._matmul_multivector
        scipy.sparse._compressed._cs_matrix._matmul_vector
        sklearn.utils._sparse._align_api_if_sparse
    """,
    "constants of the function or module, or keys of its dicts": """
        joblib._memmapping_reducer.TemporaryResourcesManager.register_folder_finalizer._cleanup
        joblib.compressor.LZMACompressorWrapper.__init__
        numpy._core._add_newdocs_scalars.add_newdoc_for_scalar_type
        numpy._core._add_newdocs_scalars.numeric_type_aliases.type_aliases_gen
        numpy._core._type_aliases
        numpy._core.fromnumeric._wrapfunc
        numpy._core.fromnumeric._wrapit
        numpy._core.fromnumeric._wrapreduction
        numpy._core.fromnumeric._wrapreduction_any_all
        numpy._core.function_base.add_newdoc
        numpy._core.getlimits.finfo.__str__.get_str
        numpy._core.numerictypes
        numpy.lib._utils_impl._makenamedict
        numpy.lib._utils_impl.info
        numpy.ma.core._arraymethod
        numpy.ma.core._arraymethod.wrapped_method
        numpy.ma.core._convert2ma
        numpy.ma.core._frommethod
        numpy.ma.core._frommethod.wrapper
        scipy.spatial.distance.CDistMetricWrapper.__call__
        scipy.spatial.distance.PDistMetricWrapper.__call__
        scipy.special._support_alternative_backends._FuncInfo._wrapper_for
        scipy.special._support_alternative_backends._FuncInfo.wrapper
        scipy.special._support_alternative_backends._get_native_func
        sklearn.utils.validation._check_large_sparse
        sklearn.utils.validation.check_symmetric
    """,
    "a module that somebody imports": """
        scipy.sparse.__getattr__
        sklearn.__getattr__
    """,
    "classes and functions that no admitted object is or calls": """
        numpy._core.records.record.__setattr__
        numpy._core.records.record.pprint
        numpy.lib._arrayterator_impl.Arrayterator.__getattr__
        numpy.ma.mrecords.MaskedRecords.__repr__
        numpy.ma.mrecords.MaskedRecords.__str__
        scipy.interpolate._rbf.Rbf._init_function
        scipy.sparse._matrix_io.load_npz
    """,
    "a format that stands in the source": """
        joblib.func_inspect._function_called_str
        numpy._core
        numpy._core._add_newdocs._array_method_doc
        numpy._core.arrayprint.IntegerFormat.__call__
        numpy._core.arrayprint._object_format
        numpy._core.getlimits
        numpy.lib._arraysetops_impl.unique
        numpy.lib._format_impl._read_array_header
        scipy.special._basic._factorialx_wrapper
        sklearn.ensemble._gb.VerboseReporter.update
        sklearn.feature_selection._variance_threshold.VarianceThreshold.fit
        sklearn.metrics._classification._warn_prf
        sklearn.metrics._classification.classification_report
        sklearn.multiclass.OneVsRestClassifier.partial_fit
        sklearn.neighbors._nca.NeighborhoodComponentsAnalysis._loss_grad_lbfgs
        sklearn.preprocessing._encoders.OneHotEncoder._set_drop_idx
        sklearn.preprocessing._encoders.OneHotEncoder.inverse_transform
        sklearn.preprocessing._encoders.OrdinalEncoder.inverse_transform
        sklearn.preprocessing._function_transformer.FunctionTransformer.transform
        sklearn.tree._export.export_text._add_leaf
        sklearn.tree._export.export_text.print_tree_recurse
        sklearn.utils._repr_html.base._HTMLDocumentationLinkMixin._get_doc_link
        sklearn.utils._repr_html.features._features_html
        sklearn.utils._repr_html.fitted_attributes._fitted_attr_html_repr
        sklearn.utils._repr_html.params._params_html_repr
    """,
}

# `**self.attribute` that no state fills.
SPLATTED = {
    "_coef_kwargs": "belongs to a fit that is going on",
    "_scorers": "belongs to a scorer that is not on the allow-list",
    **dict.fromkeys(
        ("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score", "split",
         "decision_function", "transform", "inverse_transform"),
        "what the caller of a method has passed for a step",
    ),
}  # fmt: skip
